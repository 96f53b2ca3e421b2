//! The date of HTTP: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7, IMF-fixdate).

/// Bytes of an IMF-fixdate.
pub const LENGTH: usize = 29;

const DAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];
/// The first second of the year 10000, which has no room in four digits.
const END: u64 = 253_402_300_800;

/// The date of a Unix time in seconds. From the year 10000 on it stays at the last second before.
pub fn format(unix_seconds: u64) -> [u8; LENGTH] {
    let seconds = unix_seconds.min(END - 1);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let mut date = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    date[..3].copy_from_slice(DAYS[(days % 7) as usize]);
    two_digits(&mut date[5..7], day);
    date[8..11].copy_from_slice(MONTHS[month as usize]);
    two_digits(&mut date[12..14], year / 100);
    two_digits(&mut date[14..16], year % 100);
    two_digits(&mut date[17..19], second / 3600);
    two_digits(&mut date[20..22], second / 60 % 60);
    two_digits(&mut date[23..25], second % 60);
    date
}

/// Year, month (from 0) and day (from 1) of a day since 1970, by eras of 400 years that begin on the first of March:
/// then the leap day is the last of its year and the lengths of the months before it follow a line.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12;
    (era * 400 + year_of_era + u64::from(month < 2), month, day)
}

fn two_digits(into: &mut [u8], value: u64) {
    into[0] = b'0' + (value / 10) as u8;
    into[1] = b'0' + (value % 10) as u8;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    /// Written as httpdate writes it, and read back by httpdate, which reads what clients send.
    fn check(seconds: u64) {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let date = format(seconds);
        let date = core::str::from_utf8(&date).expect("ASCII");
        assert_eq!(date, httpdate::fmt_http_date(time));
        assert_eq!(httpdate::parse_http_date(date).ok(), Some(time), "{date}");
    }

    #[test]
    fn every_day_of_four_centuries_agrees_with_httpdate() {
        (0..146_097u64).for_each(|day| check(day * 86_400 + day % 86_400));
    }

    #[test]
    fn both_sides_of_every_turn_of_a_month_to_the_year_9999_agree_with_httpdate() {
        let mut seconds = 0;
        for year in 1970..10_000 {
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let february = if leap { 29 } else { 28 };
            for days in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
                check(seconds);
                seconds += days * 86_400;
                check(seconds - 1);
            }
        }
        assert_eq!(seconds, END);
    }

    #[test]
    fn many_seconds_of_all_that_time_agree_with_httpdate() {
        // A stride with no factor in common with the seconds of a day: 336,991 times, and every second of a day among them.
        (0..END).step_by(751_957).for_each(check);
        // All seconds around the end of 32 bits.
        (0x7fff_ff00..0x8000_0100).for_each(check);
    }

    #[test]
    fn the_ends_of_time_agree_with_httpdate() {
        [
            0,
            59,
            60,
            3599,
            3600,
            86_399,
            86_400,
            951_782_400,
            4_107_542_399,
            END - 1,
        ]
        .into_iter()
        .for_each(check);
    }

    #[test]
    fn a_year_of_five_digits_is_not_written() {
        assert_eq!(format(u64::MAX), format(END - 1));
    }
}
