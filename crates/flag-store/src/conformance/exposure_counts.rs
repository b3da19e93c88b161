//! The part of the suite of an `ExposureLog` that is about counts.

use flag_model::{FlagKey, FlagType, ProjectName, Reason};

use super::exposure_log::{
    Log, all, append, at, exposure, flag_named, instance, project, requests,
};
use crate::exposure_counts::{
    Counted, CountsQuery, CountsScope, CountsWriterId, Minute, MinuteCounts,
};
use crate::exposure_log::ExposureLog;
use crate::forget::InstanceExposures;

fn counts(flag: &FlagKey, minute: i64, groups: &[(&str, u64)]) -> MinuteCounts {
    let mut counts = MinuteCounts::new(flag.clone(), Minute::from_number(minute));
    for (group, count) in groups {
        let counted = Counted::Group {
            revision: Some(at(1)),
            rollout_group: (*group).to_owned(),
            reason: Some(Reason::Rollout),
        };
        counts.add(&counted, *count);
    }
    counts
}

fn between(scope: CountsScope<'_>, since: i64, until: i64) -> CountsQuery<'_> {
    CountsQuery {
        scope,
        since: Minute::from_number(since),
        until: Minute::from_number(until),
    }
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
    let query = between(CountsScope::Flag(&subject), 0, 60);
    let expected = [
        counts(&subject, 7, &[("a", 1), ("b", 12), ("c", 20)]),
        counts(&subject, 8, &[("a", 3)]),
    ];
    assert_eq!(log.counts(query).await.unwrap(), expected);
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
    let query = between(CountsScope::Flag(&subject), 0, 60);
    let [seven, _] = first;
    let [eight] = grown;
    assert_eq!(log.counts(query).await.unwrap(), [seven, eight]);
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
    let project = project();
    let read = async |scope, since, until| {
        let found = log.counts(between(scope, since, until)).await.unwrap();
        let minutes = found.into_iter().map(|counts| {
            let FlagKey {
                flag_type, name, ..
            } = counts.flag;
            format!("{flag_type}/{name} {}", counts.minute.number())
        });
        minutes.collect::<Vec<_>>()
    };
    assert_eq!(
        read(CountsScope::Flag(&f), 59, 120).await,
        ["feature/f 59", "feature/f 60", "feature/f 119"]
    );
    assert_eq!(read(CountsScope::Flag(&elsewhere), 600, 601).await.len(), 1);
    assert_eq!(read(CountsScope::Flag(&f), 601, 9_999).await.len(), 0);
    assert_eq!(read(CountsScope::Flag(&f), 60, 60).await.len(), 0);
    assert_eq!(read(CountsScope::Flag(&f), 60, 0).await.len(), 0);
    let of_project = read(CountsScope::Project(&project), 60, 61).await;
    let expected = [
        "data/f 60",
        "feature/f 60",
        "feature/f_2 60",
        "feature/g 60",
    ];
    let mut found = of_project.clone();
    found.sort();
    assert_eq!(found, expected);
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
    let query = between(CountsScope::Project(&project), 0, 60);
    assert_eq!(log.counts(query).await.unwrap(), written);
}
