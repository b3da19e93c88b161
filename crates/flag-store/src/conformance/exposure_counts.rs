//! The part of the suite of an `ExposureLog` that is about counts.

use std::ops::Range;

use flag_model::{FlagKey, FlagType, ProjectName, Reason};

use super::exposure_log::{
    Log, all, append, at, exposure, flag_named, instance, project, requests,
};
use crate::exposure_counts::{CountKey, CountsWriterId, Minute, MinuteCounts};
use crate::exposure_log::ExposureLog;
use crate::forget::InstanceExposures;

fn counts(flag: &FlagKey, minute: i64, groups: &[(&str, u64)]) -> MinuteCounts {
    let mut counts = MinuteCounts::new(flag.clone(), Minute::from_number(minute));
    for (group, count) in groups {
        let count_key = CountKey::Group {
            revision: Some(at(1)),
            rollout_group: (*group).to_owned(),
            reason: Some(Reason::Rollout),
        };
        counts.add(&count_key, *count);
    }
    counts
}

fn minutes(since: i64, until: i64) -> Range<Minute> {
    Minute::from_number(since)..Minute::from_number(until)
}

pub async fn counts_of_replicas_are_added_up<T: ExposureLog>(log: Log<T>) {
    let subject = flag_named("f");
    let [one, other] = [CountsWriterId(1), CountsWriterId(u128::MAX)];
    let of_one = [
        counts(&subject, 7, &[("a", 1), ("b", 2)]),
        counts(&subject, 8, &[("a", 3)]),
    ];
    log.write_counts(one, &of_one).await.unwrap();
    let of_other = [counts(&subject, 7, &[("b", 10), ("c", 20)])];
    log.write_counts(other, &of_other).await.unwrap();
    let expected = [
        counts(&subject, 7, &[("a", 1), ("b", 12), ("c", 20)]),
        counts(&subject, 8, &[("a", 3)]),
    ];
    assert_eq!(
        log.counts(&subject, minutes(0, 60)).await.unwrap(),
        expected
    );
}

pub async fn counts_written_again_replace_those_of_their_minute<T: ExposureLog>(log: Log<T>) {
    let subject = flag_named("f");
    let first = [
        counts(&subject, 7, &[("a", 1)]),
        counts(&subject, 8, &[("a", 2)]),
    ];
    let grown = [counts(&subject, 8, &[("a", 5), ("b", 1)])];
    for part in [&first[..], &first, &grown, &grown, &[]] {
        log.write_counts(CountsWriterId(1), part).await.unwrap();
    }
    let [seven, _] = first;
    let [eight] = grown;
    assert_eq!(
        log.counts(&subject, minutes(0, 60)).await.unwrap(),
        [seven, eight]
    );
}

pub async fn counts_are_read_by_flag_and_minute<T: ExposureLog>(log: Log<T>) {
    let [f, f2, g] = ["f", "f_2", "g"].map(flag_named);
    let elsewhere = FlagKey {
        project: ProjectName::new("p2").unwrap(),
        ..flag_named("f")
    };
    let data = FlagKey {
        flag_type: FlagType::Data,
        ..flag_named("f")
    };
    let mut written = Vec::new();
    for subject in [&data, &f, &f2, &g, &elsewhere] {
        for minute in [0, 59, 60, 119, 120, 600] {
            written.push(counts(subject, minute, &[("a", 1)]));
        }
    }
    log.write_counts(CountsWriterId(1), &written).await.unwrap();
    let read = async |flag, since, until| {
        let found = log.counts(flag, minutes(since, until)).await.unwrap();
        let minutes = found.into_iter().map(|counts| {
            assert_eq!(counts.flag, *flag);
            counts.minute.number()
        });
        minutes.collect::<Vec<_>>()
    };
    assert_eq!(read(&f, 59, 120).await, [59, 60, 119]);
    assert_eq!(read(&elsewhere, 600, 601).await, [600]);
    for (since, until) in [(601, 9_999), (60, 60), (60, 0)] {
        assert_eq!(read(&f, since, until).await, [0; 0]);
    }
}

pub async fn the_latest_minute_of_each_flag_is_found<T: ExposureLog>(log: Log<T>) {
    let day = 24 * Minute::PER_HOUR;
    let [now, old, never] = ["now", "old", "never"].map(flag_named);
    let mut written = Vec::new();
    for minute in [5, 3 * day, 3 * day + 7] {
        written.push(counts(&now, minute, &[("a", 1)]));
    }
    written.push(counts(&old, 6, &[("a", 1)]));
    log.write_counts(CountsWriterId(1), &written).await.unwrap();
    let of_other = [counts(&now, 3 * day + 2, &[("a", 1)])];
    log.write_counts(CountsWriterId(2), &of_other)
        .await
        .unwrap();
    let flags = [now, never, old];
    let last = async |since, until| {
        let within = minutes(since, until);
        let found = log.last_counted(&flags, within).await.unwrap();
        let minutes = found.into_iter().map(|minute| minute.map(Minute::number));
        minutes.collect::<Vec<_>>()
    };
    assert_eq!(
        last(0, 3 * day + 8).await,
        [Some(3 * day + 7), None, Some(6)]
    );
    assert_eq!(
        last(6, 3 * day + 7).await,
        [Some(3 * day + 2), None, Some(6)]
    );
    assert_eq!(last(6, 3 * day).await, [None, None, Some(6)]);
    assert_eq!(last(7, 3 * day).await, [None, None, None]);
    assert_eq!(last(0, 0).await, [None, None, None]);
    assert_eq!(log.last_counted(&[], minutes(0, 9)).await.unwrap(), []);
}

pub async fn counts_are_no_exposures<T: ExposureLog>(log: Log<T>) {
    let subject = flag_named("f");
    append(&*log, &[exposure(&subject, "A", "r", 2)]).await;
    let written = [counts(&subject, 7, &[("a", 1)])];
    log.write_counts(CountsWriterId(1), &written).await.unwrap();
    let (project, id) = (project(), instance("A"));
    assert_eq!(requests(&all(&*log).await), ["r"]);
    let found = log.of_instance(&project, &id).await.unwrap();
    assert_eq!(found.iter().map(InstanceExposures::count).sum::<usize>(), 1);
    log.delete(&found[0]).await.unwrap();
    assert_eq!(log.counts(&subject, minutes(0, 60)).await.unwrap(), written);
}
