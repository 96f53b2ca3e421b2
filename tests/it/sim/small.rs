//! Small worlds: what only some programs do, each a function of its world. All of them are played once in peace; and each
//! seed has one of them besides its whole server, in a world of its own, where calls may be short, late and disturbed.

use core::time::Duration;

use edgeloop::sys::sim::{Plan, Random, Rates, World};

use super::report::Failure;
use super::run::in_world;
use super::seeds::keep_quiet;
use super::{
    accepting, alone, bytes, cold, corners, counted, finds, fresh, later, library, local,
    remembered, replays,
};

struct Small {
    name: &'static str,
    play: Play,
}

enum Play {
    /// What it does is drawn.
    Drawn(fn(&World, &mut Random)),
    /// It comes out the same whatever calls do that is not an error.
    Steady(fn(&World)),
    /// It counts calls or turns, measures time, or has a call of its own fail.
    InPeace(fn(&World)),
}

macro_rules! small {
    ($($play:ident: $module:ident::$name:ident,)*) => {
        &[$(Small {
            name: concat!(stringify!($module), "::", stringify!($name)),
            play: Play::$play($module::$name),
        }),*]
    };
}

const ALL: &[Small] = small![
    Drawn: bytes::some_inputs,
    Drawn: library::some_are_served_at_once,
    Drawn: replays::some_connections_are_played,
    Steady: alone::a_server_with_a_name_runs,
    Steady: alone::two_cores_can_not_be_had,
    Steady: corners::a_server_nests_in_a_loop_that_watches_its_descriptor,
    Steady: corners::answers_that_can_not_be_sent_are_500_and_odd_ones_are_what_they_are,
    Steady: corners::what_keeps_a_server_from_starting_is_said,
    Steady: later::a_request_is_waited_for_as_long_as_it_says,
    Steady: later::no_time_is_added_when_an_answer_is_put_off_again,
    Steady: library::a_server_runs_until_it_has_drained,
    Steady: library::a_stream_ends_with_its_last_waker_and_with_its_client,
    Steady: library::applications_get_what_they_are_promised,
    Steady: library::every_trouble_says_what_to_do,
    Steady: library::who_can_not_be_served_comes_back,
    InPeace: accepting::a_pause_ends_although_nobody_else_goes,
    InPeace: accepting::two_calls_that_signals_cut_short_are_no_reason_to_pause,
    InPeace: accepting::whoever_waits_while_accepting_pauses_is_served_by_a_drain,
    InPeace: cold::a_hole_in_the_middle_of_a_piece_is_read_by_the_pool,
    InPeace: cold::nothing_that_is_served_is_waited_for_by_the_loop,
    InPeace: cold::without_a_thread_the_middle_of_a_file_is_waited_for,
    InPeace: cold::a_pool_without_threads_ends_the_answer,
    InPeace: corners::a_loop_has_descriptors_deadlines_and_mail_without_a_server,
    InPeace: corners::who_answers_later_can_ask_whether_anybody_waits,
    InPeace: counted::what_is_counted_is_told_to_who_asks,
    InPeace: finds::signals_that_can_not_be_read_are_no_second_signal,
    InPeace: fresh::a_cold_file_does_not_stop_the_loop,
    InPeace: fresh::the_tag_of_what_is_remembered_becomes_a_strong_one,
    InPeace: fresh::what_is_remembered_is_not_looked_at,
    InPeace: fresh::what_is_remembered_stays_within_its_bounds,
    InPeace: later::a_job_that_nobody_is_told_of_runs_if_there_is_room,
    InPeace: later::what_a_turn_leaves_of_its_mail_waits_for_nothing,
    InPeace: later::without_a_thread_a_job_is_refused_and_the_next_one_tries_again,
    InPeace: later::work_goes_on_with_the_threads_that_there_are,
    InPeace: library::a_long_answer_that_is_read_fast_is_given_more_at_a_time,
    InPeace: library::a_mailbox_gives_back_what_it_has_no_room_for,
    InPeace: local::a_program_around_a_server,
    InPeace: replays::answers_that_need_the_loop_are_waited_for,
    InPeace: replays::what_one_client_sends_is_played_again_and_again,
    InPeace: replays::what_is_no_recording_is_told,
    InPeace: local::a_timer_that_repeats_keeps_its_beat_and_leaves_out_what_was_missed,
    InPeace: local::a_watch_that_cannot_be_changed_ends_and_is_told,
    InPeace: local::timers_come_at_their_time_to_the_millisecond,
    InPeace: local::what_was_taken_out_makes_no_event,
    InPeace: remembered::a_cache_goes_with_the_files_that_it_is_of,
    InPeace: remembered::a_group_of_siblings_stays_within_the_bounds,
    InPeace: remembered::a_sibling_that_fails_is_not_remembered_as_none,
    InPeace: remembered::each_of_two_bounds_has_a_cache_of_its_own,
    InPeace: remembered::one_directory_more_costs_another_one_and_not_all,
    InPeace: remembered::what_was_removed_is_not_kept_open,
];

/// More calls than any of them makes.
const CALLS_MAX: u64 = 1_000_000;

/// Calls are short, late and disturbed as soon as anybody waits: who starts a server may be told that it can't be.
pub(super) fn disturb(world: &World) {
    world.after(Duration::ZERO, |world| {
        world.set_plan(Plan::Random(Rates::UNEVEN));
    });
}

/// Plays the one that is this seed's.
pub(super) fn play(seed: u64, trace: bool) -> Result<(), Failure> {
    let mut random = Random::new(seed ^ 0x5a11);
    let is_disturbed = random.below(3) > 0;
    // Those that are drawn are never twice the same.
    let wants_drawn = random.below(4) == 0;
    let of_a_kind = ALL.iter();
    let of_a_kind: Vec<&Small> = of_a_kind
        .filter(|it| matches!(it.play, Play::Drawn(_)) == wants_drawn)
        .collect();
    let small = of_a_kind[random.index(of_a_kind.len())];
    let played = in_world(seed, trace, |world| {
        world.note(|| format!("seed {seed}: {}, disturbed: {is_disturbed}", small.name));
        world.set_calls_max(CALLS_MAX);
        if is_disturbed && !matches!(small.play, Play::InPeace(_)) {
            disturb(world);
        }
        match small.play {
            Play::Drawn(play) => play(world, &mut random),
            Play::Steady(play) | Play::InPeace(play) => play(world),
        }
        world.forget_steps();
        Ok(())
    });
    played.map_err(|mut failure| {
        failure.what.insert(0, small.name.to_owned());
        failure
    })
}

#[test]
fn each_is_as_it_should_be_in_peace() {
    keep_quiet();
    let mut failed = Vec::new();
    for small in ALL {
        let played = in_world(1, true, |world| {
            match small.play {
                Play::Drawn(play) => play(world, &mut Random::new(1)),
                Play::Steady(play) | Play::InPeace(play) => play(world),
            }
            Ok(())
        });
        if let Err(failure) = played {
            println!("{}", failure.trace.join("\n"));
            failed.push(format!("{}: {}", small.name, failure.what.join("\n")));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
