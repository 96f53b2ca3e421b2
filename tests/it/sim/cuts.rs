//! Reads and writes that end at every byte, with the next byte alone: nobody sees anything of it.

use edgeloop::sys::sim::{Call, Plan};

use super::faults::on_all_processors;
use super::plot::Plot;
use super::report::{Failure, Report};
use super::scenes::{Fault, expects, gets_a_small_file, gets_files, keeps_on, old};
use super::setting::Setting;

/// A call that moves bytes, what is moved, and where it is cut.
struct Cutting {
    call: Call,
    has_sendfile: bool,
    cast: fn() -> Vec<Plot>,
    /// Beyond the longest stream, or the longest file.
    end: u64,
    /// In the middle of long ones only every so many offsets are tried.
    step: u64,
    /// How many offsets at least have to cut something.
    least: u64,
}

const CUTTINGS: &[Cutting] = &[
    Cutting {
        call: Call::Recv,
        has_sendfile: true,
        cast: short_streams,
        end: 1_000,
        step: 1,
        least: 800,
    },
    Cutting {
        call: Call::Send,
        has_sendfile: true,
        cast: short_streams,
        end: 12_000,
        step: 1,
        least: 2_300,
    },
    Cutting {
        call: Call::SendFile,
        has_sendfile: true,
        cast: || vec![gets_files()],
        end: 85_000,
        step: 97,
        least: 800,
    },
    Cutting {
        call: Call::ReadAt,
        has_sendfile: false,
        cast: || vec![gets_files()],
        end: 40_010,
        step: 97,
        least: 1_000,
    },
];

/// Every offset counts this near to the ends of long streams.
const NEAR: u64 = 1_200;

fn short_streams() -> Vec<Plot> {
    vec![keeps_on(), expects(), gets_a_small_file(), old()]
}

#[test]
fn reads_and_writes_may_end_at_every_byte() {
    for cutting in CUTTINGS {
        let near = |offset: &u64| *offset < NEAR || cutting.end - *offset < NEAR;
        let offsets: Vec<u64> = (0..cutting.end)
            .filter(|offset| offset % cutting.step == 0 || near(offset))
            .collect();
        let cut = on_all_processors(&offsets, |offset| cut_at(cutting, *offset));
        let count = cut.iter().filter(|cut| **cut).count() as u64;
        println!("{}: cut at {count} offsets", cutting.call.site());
        assert!(
            count >= cutting.least,
            "{}: {count} cuts",
            cutting.call.site()
        );
        assert_eq!(
            cut.last(),
            Some(&false),
            "there is more behind the last one"
        );
    }
}

/// Whether anything was cut there.
fn cut_at(cutting: &Cutting, offset: u64) -> Result<bool, String> {
    let call = cutting.call;
    let play = |trace| -> Result<Report, Failure> {
        let fault = Fault {
            plan: Plan::Cut { call, offset },
            excused: Vec::new(),
            calls_max: 10_000,
            trace,
        };
        let setting = Setting {
            lanes: 4,
            has_sendfile: cutting.has_sendfile,
            ..Setting::plain()
        };
        fault.strike(setting, (cutting.cast)())
    };
    match play(false) {
        Ok(report) => Ok(!report.faults.is_empty()),
        Err(failure) => {
            let trace = play(true).err().map_or(Vec::new(), |failure| failure.trace);
            let (trace, what) = (trace.join("\n"), failure.what.join("\n    "));
            Err(format!("{trace}\n{call:?} cut at {offset}:\n    {what}"))
        }
    }
}
