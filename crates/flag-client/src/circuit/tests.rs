//! The life of a circuit, on a clock of its own.

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const MOMENT: Duration = Duration::from_millis(1);
const UNANSWERED_TIMEOUT: Duration = Duration::from_millis(300);

/// A circuit and a clock.
struct Story {
    circuit: Circuit,
    now: Instant,
}

impl Story {
    fn new() -> Self {
        let circuit = Circuit::new("a service".to_owned(), SECOND, UNANSWERED_TIMEOUT);
        let now = Instant::now();
        Self { circuit, now }
    }

    /// A story whose service has just failed too often.
    fn of_an_outage() -> Self {
        let story = Self::new();
        for _ in 0..FAILURES {
            story.fail(&story.send());
        }
        story
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// Passes to the last moment of this time.
    fn almost_pass(&mut self, time: Duration) {
        self.pass(time.saturating_sub(MOMENT));
    }

    #[track_caller]
    fn send(&self) -> Permit {
        self.circuit.acquire(self.now).unwrap()
    }

    fn fail(&self, permit: &Permit) {
        self.circuit
            .failed(permit, &Failure::TimedOut, None, self.now);
    }

    fn answer(&self, permit: &Permit) {
        self.circuit.answered(permit, self.now);
    }

    #[track_caller]
    fn check_closed(&self) {
        assert!(self.circuit.check_admission(self.now).is_ok());
    }

    #[track_caller]
    fn check_open(&self, why: &str) {
        let failure = Failure::CoolingDown(why.into());
        assert_eq!(self.circuit.check_admission(self.now), Err(failure.clone()));
        assert_eq!(self.circuit.acquire(self.now).map(|_| ()), Err(failure));
    }
}

const LATE: &str = "no answer within the timeout";

#[test]
fn five_failures_in_a_row_have_the_service_left_alone_for_a_second() {
    let mut story = Story::new();
    for _ in 0..4 {
        story.fail(&story.send());
    }
    story.check_closed();
    story.fail(&story.send());
    story.check_open(LATE);
    story.almost_pass(SECOND);
    story.check_open(LATE);
    story.pass(SECOND.mul_f64(JITTER.max - 1.0) + MOMENT);
    story.check_closed();
}

#[test]
fn an_answer_in_between_starts_the_count_again() {
    let story = Story::new();
    for _ in 0..3 {
        for _ in 0..4 {
            story.fail(&story.send());
        }
        story.answer(&story.send());
    }
    story.check_closed();
}

#[test]
fn one_probe_goes_out_at_a_time() {
    let mut story = Story::of_an_outage();
    story.pass(2 * SECOND);
    let probe = story.send();
    story.check_open(LATE);
    story.answer(&probe);
    story.check_closed();
}

#[test]
fn a_probe_that_nobody_finished_is_sent_again() {
    let mut story = Story::of_an_outage();
    story.pass(2 * SECOND);
    story.circuit.abandoned(&story.send());
    story.check_closed();
}

#[test]
fn cool_downs_double_up_to_half_a_minute() {
    let mut story = Story::of_an_outage();
    for seconds in [1, 2, 4, 8, 16, 30, 30, 30] {
        let cool_down = Duration::from_secs(seconds);
        story.almost_pass(cool_down);
        story.check_open(LATE);
        story.pass(cool_down.mul_f64(JITTER.max - 1.0) + MOMENT);
        story.fail(&story.send());
    }
    story.pass(40 * SECOND);
    story.answer(&story.send());
    for _ in 0..FAILURES {
        story.fail(&story.send());
    }
    story.pass(SECOND.mul_f64(JITTER.max));
    story.check_closed();
}

#[test]
fn failures_of_what_was_under_way_prolong_nothing() {
    let mut story = Story::new();
    let in_flight: Vec<Permit> = (0..50).map(|_| story.send()).collect();
    for permit in &in_flight {
        story.fail(permit);
    }
    story.pass(SECOND.mul_f64(JITTER.max));
    story.check_closed();
}

#[test]
fn an_answer_to_what_was_under_way_ends_the_cool_down() {
    let story = Story::new();
    let in_flight = story.send();
    for _ in 0..FAILURES {
        story.fail(&story.send());
    }
    story.check_open(LATE);
    story.answer(&in_flight);
    story.check_closed();
}

#[test]
fn a_refused_key_is_tried_once() {
    let story = Story::new();
    let refused = Failure::Unauthorized("401".into());
    story
        .circuit
        .failed(&story.send(), &refused, None, story.now);
    story.check_open("the service refuses the API key: 401");
}

#[test]
fn the_service_says_itself_when_to_come_back() {
    let mut story = Story::new();
    let in_flight = story.send();
    let failure = Failure::ServiceFailed("503".into());
    story
        .circuit
        .failed(&story.send(), &failure, Some(7 * SECOND), story.now);
    story.answer(&in_flight);
    story.almost_pass(7 * SECOND);
    story.check_open("the service failed: 503");
    story.pass(MOMENT);
    story.answer(&story.send());
    story.check_closed();
}

#[test]
fn its_word_counts_also_where_the_cool_down_is_longer() {
    let mut story = Story::new();
    let in_flight = story.send();
    for _ in 1..FAILURES {
        story.fail(&story.send());
    }
    let failure = Failure::ServiceFailed("503".into());
    let wait = SECOND / 2;
    story
        .circuit
        .failed(&story.send(), &failure, Some(wait), story.now);
    story.answer(&in_flight);
    story.almost_pass(wait);
    story.check_open("the service failed: 503");
}

#[test]
fn nobody_waits_for_a_day_because_the_service_says_so() {
    let mut story = Story::new();
    let failure = Failure::ServiceFailed("429".into());
    story
        .circuit
        .failed(&story.send(), &failure, Some(86_400 * SECOND), story.now);
    story.pass(LONGEST_RETRY_AFTER);
    story.check_closed();
}

#[test]
fn calls_that_pile_up_unanswered_make_the_service_suspect() {
    let mut story = Story::new();
    let in_flight: Vec<Permit> = (0..FAILURES).map(|_| story.send()).collect();
    story.almost_pass(UNANSWERED_TIMEOUT);
    story.check_closed();
    story.pass(MOMENT);
    story.check_open("5 calls unanswered for 300ms");
    story.answer(&in_flight[0]);
    story.check_closed();
}

#[test]
fn every_call_that_waits_for_a_request_counts() {
    let mut story = Story::new();
    let slow = story.send();
    for _ in 2..FAILURES {
        story.circuit.add_call(slow.number());
    }
    story.pass(UNANSWERED_TIMEOUT);
    story.check_closed();
    story.circuit.add_call(slow.number());
    story.check_open("5 calls unanswered for 300ms");
}

#[test]
fn what_has_had_the_service_left_alone_is_not_waited_for() {
    let mut story = Story::new();
    assert_eq!(story.circuit.check_admission(story.now), Ok(Admission::Ask));
    let _slow: Vec<Permit> = (0..FAILURES).map(|_| story.send()).collect();
    story.pass(UNANSWERED_TIMEOUT);
    story.check_open("5 calls unanswered for 300ms");
    story.pass(2 * SECOND);
    assert_eq!(
        story.circuit.check_admission(story.now),
        Ok(Admission::Probe)
    );
    assert!(story.send().is_probe());
}

#[test]
fn a_few_slow_requests_make_nothing_suspect() {
    let mut story = Story::new();
    let _slow: Vec<Permit> = (1..FAILURES).map(|_| story.send()).collect();
    story.pass(2 * SECOND);
    let _quick = story.send();
    story.check_closed();
}

#[test]
fn many_slow_requests_make_nothing_suspect_while_others_are_answered() {
    let mut story = Story::new();
    let _slow: Vec<Permit> = (0..50).map(|_| story.send()).collect();
    for _ in 0..10 {
        story.pass(UNANSWERED_TIMEOUT / 2);
        story.answer(&story.send());
    }
    story.check_closed();
}
