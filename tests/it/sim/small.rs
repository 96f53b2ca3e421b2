//! Small worlds: what only some programs do, each a function of its world. All of them are played once in peace; and each
//! seed has one of them besides its whole server, in a world of its own, where calls may be short, late and disturbed.

use core::time::Duration;

use edgeloop::sys::sim::{Plan, Random, Rates, World};

use super::report::Failure;
use super::run::in_world;
use super::seeds::keep_quiet;
use super::{accepting, alone, bytes, corners, finds, later, library, local};

macro_rules! named {
    ($($module:ident::$name:ident,)*) => {
        &[$((concat!(stringify!($module), "::", stringify!($name)), $module::$name)),*]
    };
}

/// What they do is drawn.
const DRAWN: &[(&str, fn(&World, &mut Random))] =
    named![bytes::some_inputs, library::some_are_served_at_once,];

/// They come out the same whatever calls do that is not an error.
const STEADY: &[(&str, fn(&World))] = named![
    alone::a_server_with_a_name_runs,
    alone::two_cores_can_not_be_had,
    corners::a_server_nests_in_a_loop_that_watches_its_descriptor,
    corners::answers_that_can_not_be_sent_are_500_and_odd_ones_are_what_they_are,
    corners::what_keeps_a_server_from_starting_is_said,
    later::a_request_is_waited_for_as_long_as_it_says,
    later::no_time_is_added_when_an_answer_is_put_off_again,
    library::a_server_runs_until_it_has_drained,
    library::a_stream_ends_with_its_last_waker_and_with_its_client,
    library::applications_get_what_they_are_promised,
    library::every_trouble_says_what_to_do,
    library::who_can_not_be_served_comes_back,
];

/// They count calls or turns, measure time, or have a call of their own fail.
const IN_PEACE: &[(&str, fn(&World))] = named![
    accepting::a_pause_ends_although_nobody_else_goes,
    accepting::two_calls_that_signals_cut_short_are_no_reason_to_pause,
    accepting::whoever_waits_while_accepting_pauses_is_served_by_a_drain,
    corners::a_loop_has_descriptors_deadlines_and_mail_without_a_server,
    corners::who_answers_later_can_ask_whether_anybody_waits,
    finds::signals_that_can_not_be_read_are_no_second_signal,
    later::without_a_thread_a_job_is_refused_and_the_next_one_tries_again,
    later::work_goes_on_with_the_threads_that_there_are,
    local::a_program_around_a_server,
    local::a_timer_that_repeats_keeps_its_beat_and_leaves_out_what_was_missed,
    local::a_watch_that_cannot_be_changed_ends_and_is_told,
    local::timers_come_at_their_time_to_the_millisecond,
    local::what_was_taken_out_makes_no_event,
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
    let disturbed = random.below(3) > 0;
    let at = random.index(2 * DRAWN.len() + STEADY.len() + IN_PEACE.len());
    // What is drawn is never twice the same.
    let (name, play): (_, Box<dyn FnOnce(&World, &mut Random)>) =
        if let Some(at) = at.checked_sub(STEADY.len() + IN_PEACE.len()) {
            let (name, play) = DRAWN[at % DRAWN.len()];
            (name, Box::new(play))
        } else if let Some(at) = at.checked_sub(IN_PEACE.len()) {
            let (name, play) = STEADY[at];
            (name, Box::new(move |world, _| play(world)))
        } else {
            let (name, play) = IN_PEACE[at];
            (name, Box::new(move |world, _| play(world)))
        };
    let disturbed = disturbed && at >= IN_PEACE.len();
    let played = in_world(seed, trace, |world| {
        world.note(|| format!("seed {seed}: {name}, disturbed: {disturbed}"));
        if disturbed {
            disturb(world);
        }
        world.set_calls_max(CALLS_MAX);
        play(world, &mut random);
        world.forget_steps();
        Ok(())
    });
    played.map_err(|mut failure| {
        failure.what.insert(0, name.to_owned());
        failure
    })
}

#[test]
fn each_is_as_it_should_be_in_peace() {
    keep_quiet();
    for (name, play) in STEADY.iter().chain(IN_PEACE) {
        let played = in_world(1, true, |world| {
            play(world);
            Ok(())
        });
        if let Err(failure) = played {
            println!("{}", failure.trace.join("\n"));
            panic!("{name}: {}", failure.what.join("\n"));
        }
    }
}
