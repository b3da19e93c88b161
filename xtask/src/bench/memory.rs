//! Resident memory: by flags, by override lists, by instances.
//!
//! One worker on one processor, so that what waits to be written piles up as it would on a busy machine.
use anyhow::{Context, Result, ensure};

use super::Args;
use super::goal::{Goal, Row, Unit};
use super::report::{Measured, Picture, Table};
use super::rounds::{ask, sample};
use super::statistics::{as_f64, mib};
use super::stores::{FullStore, NO_EXPOSURES, Size, pinned, unpinned};
use crate::chart::{Chart, Line};
use crate::foreground::Foreground;
use crate::services::{Program, ServerOptions, Servers, Store, Usage, metric};

const FLAGS: [u32; 4] = [10, 1_000, 10_000, 100_000];
const LISTS: [u32; 4] = [0, 1, 10, 100];
const IDS: u32 = 10_000;
const INSTANCES: [u64; 3] = [0, 100_000, 1_000_000];

/// The columns: what is resident, what of it is no page of a file, the high-water mark.
const RESIDENT: &str = "resident MiB";
const OWN: &str = "of it its own";
const MAX: &str = "most MiB";

/// Connections while flags are read for the first time; few, so that no read is shed.
const FEW: usize = 8;

/// Measures all of them.
pub(super) fn measure(args: &Args, foreground: &mut Foreground) -> Result<Measured> {
    let connections = usize::from(args.connections);
    let thousand = thousand_flags(foreground)?;
    let by_flags = by_flags(foreground)?;
    let by_lists = by_lists(foreground)?;
    let embedded = pinned(Program::Service, Store::Embedded, &[]);
    let emulator = pinned(Program::Service, Store::Emulator, &[]);
    let remembered = ("FLAG_POSITION_CACHE_ENTRIES", "1000000");
    let remembering = pinned(Program::Service, Store::Embedded, &[remembered]);
    let by_ids = by_instances(&embedded, connections, foreground)?;
    let on_emulator = by_instances(&emulator, connections, foreground)?;
    let with_positions = by_instances(&remembering, connections, foreground)?;
    let mut tables = vec![
        table(
            "Memory by flags, each served once, exposures off",
            "flags",
            &by_flags,
        ),
        table(
            "Memory by override lists of 10,000 ids, of 100 flags, exposures off",
            "lists",
            &by_lists,
        ),
    ];
    let instances = [
        ("", &by_ids),
        (" (emulator)", &on_emulator),
        (" (remembering 1,000,000 buckets)", &with_positions),
    ];
    let title = "Memory by distinct instance ids, everything on, as fast as answers come";
    let mut table = Table::new(title, &["ids", RESIDENT, OWN, MAX]);
    for (how, points) in instances {
        for point in points {
            table.row(point.cells(how));
        }
    }
    tables.push(table);
    Ok(Measured {
        rows: vec![
            Row::new(
                "memory with 1,000 flags, all served, embedded store",
                Unit::Mebibytes,
                Goal::Under(15.0),
                mib(thousand.resident),
            )
            .note(format!(
                "of it {:.1} its own, the rest pages of its files",
                mib(thousand.own)
            )),
            max("embedded store", Goal::Under(64.0), &by_ids)?,
            max("emulator", Goal::Under(64.0), &on_emulator)?,
            max(
                "embedded store, a million buckets remembered (none by default)",
                Goal::None,
                &with_positions,
            )?,
        ],
        tables,
        pictures: vec![
            picture(
                "flags",
                "Resident memory by flags",
                &[("memory", &by_flags)],
            ),
            picture(
                "lists",
                "Resident memory by override lists of 10,000 ids",
                &[("memory", &by_lists)],
            ),
            picture(
                "ids",
                "Resident memory by distinct instance ids",
                &[
                    ("as it comes", &by_ids),
                    ("buckets remembered", &with_positions),
                ],
            ),
        ],
        ..Measured::default()
    })
}

/// How much was resident with `number` of something.
struct Point {
    number: u64,
    used: Usage,
}

impl Point {
    fn cells(&self, how: &str) -> [String; 4] {
        [
            format!("{}{how}", self.number),
            format!("{:.1}", mib(self.used.resident)),
            format!("{:.1}", mib(self.used.own)),
            format!("{:.1}", mib(self.used.peak)),
        ]
    }
}

/// The service as it comes, with all processors.
fn thousand_flags(foreground: &mut Foreground) -> Result<Usage> {
    let store = FullStore::fill(Size::of_flags(1_000), foreground)?;
    let options = store.with(unpinned(Program::Service, Store::Embedded));
    Ok(served(&store, &options, foreground)?.1)
}

fn by_flags(foreground: &mut Foreground) -> Result<Vec<Point>> {
    let points = FLAGS.into_iter().map(|flags| {
        let store = FullStore::fill(Size::of_flags(flags), foreground)?;
        point(&store, u64::from(flags), foreground)
    });
    points.collect()
}

fn by_lists(foreground: &mut Foreground) -> Result<Vec<Point>> {
    let points = LISTS.into_iter().map(|lists| {
        let size = Size {
            lists,
            ids: IDS,
            ..Size::of_flags(100)
        };
        let store = FullStore::fill(size, foreground)?;
        point(&store, u64::from(lists), foreground)
    });
    points.collect()
}

fn point(store: &FullStore, number: u64, foreground: &mut Foreground) -> Result<Point> {
    let options = pinned(Program::Service, Store::Embedded, &[NO_EXPOSURES, ROOM]);
    let (_, used) = served(store, &store.with(options), foreground)?;
    eprintln!("{number}: {:.1} MiB", mib(used.resident));
    Ok(Point { number, used })
}

/// Room for all flags: a cache of as many as there are is full in some of its parts before others.
pub(super) const ROOM: (&str, &str) = ("FLAG_CACHE_ENTRIES", "200000");

/// How often flags are asked for until all are held: on a busy machine the store may not answer in time.
const PASSES: usize = 3;

/// Starts a service on a store, and asks for each flag; fails unless it holds them all then.
pub(super) fn served(
    store: &FullStore,
    options: &ServerOptions,
    foreground: &mut Foreground,
) -> Result<(Servers, Usage)> {
    let servers = Servers::start(options, foreground)?;
    let address = *servers.addresses.first().context("no address")?;
    let flags = u64::from(store.size.flags);
    let mut held = 0.0;
    for _ in 0..PASSES {
        foreground.check()?;
        let asked = ask(&servers, FEW, flags, store.all());
        held = metric(address, "flag_cache_entries")?;
        if asked.is_ok() {
            break;
        }
    }
    ensure!(
        held >= as_f64(flags),
        "the service holds {held} of {flags} flags"
    );
    let used = servers.usage().context("the service has died")?;
    Ok((servers, used))
}

/// A service each, as it answers as many instances as it can.
fn by_instances(
    options: &ServerOptions,
    connections: usize,
    foreground: &mut Foreground,
) -> Result<Vec<Point>> {
    let points = INSTANCES.into_iter().map(|number| {
        let servers = Servers::start(options, foreground)?;
        ask(&servers, connections, number, sample().sequential())?;
        let used = servers.usage().context("the service has died")?;
        eprintln!("{number} ids: {:.1} MiB", mib(used.peak));
        Ok(Point { number, used })
    });
    points.collect()
}

fn max(store: &str, goal: Goal, points: &[Point]) -> Result<Row> {
    let last = points.last().context("nothing was measured")?;
    let what = format!("memory with 1,000,000 distinct ids, everything on, {store}");
    Ok(Row::new(what, Unit::Mebibytes, goal, mib(last.used.peak))
        .note(format!("the most; {:.1} after it", mib(last.used.resident))))
}

fn table(title: &str, of: &str, points: &[Point]) -> Table {
    let mut table = Table::new(title, &[of, RESIDENT, OWN, MAX]);
    for point in points {
        table.row(point.cells(""));
    }
    table
}

fn picture(name: &str, title: &'static str, lines: &[(&'static str, &Vec<Point>)]) -> Picture {
    let points = |points: &[Point]| -> Vec<(f64, f64)> {
        let points = points.iter();
        points
            .map(|point| (as_f64(point.number), mib(point.used.peak)))
            .collect()
    };
    let chart = Chart {
        title,
        across: |number| format!("{number:.0}"),
        up: |number| format!("{number:.0} MiB"),
        lines: lines
            .iter()
            .map(|(name, of)| Line {
                name,
                points: points(of),
            })
            .collect(),
    };
    Picture {
        name: name.to_owned(),
        shows: title.to_owned(),
        svg: chart.svg(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(number: u64, resident: u64, peak: u64) -> Point {
        let used = Usage {
            resident,
            peak,
            ..Usage::default()
        };
        Point { number, used }
    }

    #[test]
    fn the_most_is_held_against_the_goal() {
        let points = [point(0, 4 << 20, 4 << 20), point(9, 60 << 20, 65 << 20)];
        let row = max("s", Goal::Under(64.0), &points).unwrap();
        assert_eq!(row.is_met, Some(false));
        assert!(row.cells()[2].contains("60.0 after it"));
        assert!(max("s", Goal::None, &[]).is_err());
    }

    #[test]
    fn a_picture_shows_the_most() {
        let points = vec![point(0, 0, 0), point(10, 1, 5 << 20)];
        let picture = picture("n", "t", &[("m", &points)]);
        assert!(picture.svg.contains("cx='690.0' cy='12.0'"));
    }
}
