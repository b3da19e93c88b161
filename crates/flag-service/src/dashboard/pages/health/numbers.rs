//! The metrics of this replica in words: changes, event streams, exposures, caches, store.

use maud::{Markup, html};

use super::readings::Readings;
use crate::dashboard::parts::thousands;

/// A number in words.
struct NumberRow {
    what: String,
    value: String,
    /// The name of its metric, for people who look for it elsewhere.
    metric: String,
}

/// A time in words, with the name of its histogram and the labels that choose it.
type Timed<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

/// All sections.
pub(super) fn sections(readings: &Readings) -> Markup {
    html! {
        (section("propagation", "Propagation of changes", &propagation(readings)))
        (section("streams", "Event streams", &streams(readings)))
        (section("exposures", "Exposures", &exposures(readings)))
        (section("caches", "Caches", &caches(readings)))
        (section("store", "Calls to the store", &store(readings)))
        (section("pages", "Pages of the dashboard", &pages(readings)))
    }
}

fn section(id: &str, heading: &str, content: &Markup) -> Markup {
    html! { section aria-labelledby=(id) { h2 id=(id) { (heading) } (content) } }
}

fn propagation(readings: &Readings) -> Markup {
    let times: [Timed<'_>; 2] = [
        (
            "From the append of a revision until this replica serves it",
            "flag_propagation_seconds",
            &[],
        ),
        (
            "From the append of a revision until the event that announces it",
            "flag_event_delay_seconds",
            &[],
        ),
    ];
    timed(readings, "Propagation of changes", &times)
}

fn streams(readings: &Readings) -> Markup {
    let mut rows = Vec::new();
    let closed = "flag_event_streams_closed_total";
    for (what, metric) in [
        ("Open now", "flag_event_streams"),
        (
            "Refused, as too many were open",
            "flag_event_streams_refused_total",
        ),
        ("Events sent", "flag_events_sent_total"),
        (
            "Events dropped: one was sent in place of several to a slow reader",
            "flag_events_missed_total",
        ),
        (
            "Events that announced changes for the first time",
            "flag_events_published_total",
        ),
    ] {
        rows.extend(one(readings, what, metric));
    }
    rows.extend(each(readings, "Closed", closed));
    table("Event streams", &rows)
}

fn exposures(readings: &Readings) -> Markup {
    let mut rows = Vec::new();
    for (what, metric) in [
        ("Produced by answers", "flag_exposures_produced_total"),
        ("Written", "flag_exposures_written_total"),
        ("Dropped, for all reasons", "flag_exposures_dropped_total"),
        ("Pending", "flag_exposures_pending"),
        ("May be pending at most", "flag_exposures_queue_capacity"),
        (
            "Requests that wait for room",
            "flag_exposures_requests_waiting",
        ),
        (
            "Not logged again, as the same was logged shortly before",
            "flag_exposures_deduplicated_total",
        ),
        (
            "In no counts, as the store took none for too long",
            "flag_exposure_counts_lost_total",
        ),
    ] {
        rows.extend(one(readings, what, metric));
    }
    for (what, metric) in [
        ("Dropped", "flag_exposures_dropped_total"),
        ("Batches", "flag_exposure_batches_total"),
        ("Writes of counts", "flag_exposure_counts_writes_total"),
        ("Answers that waited for room", "flag_exposure_waits_total"),
    ] {
        rows.extend(each(readings, what, metric));
    }
    let lag = "From an answer until its exposure is written, of the oldest in each batch";
    html! {
        (balance(readings))
        (table("Exposures", &rows))
        (timed(readings, "Lag of exposures", &[(lag, "flag_exposure_lag_seconds", &[])]))
    }
}

/// Whether each exposure that was produced is written, dropped or pending.
fn balance(readings: &Readings) -> Markup {
    let sum = |name: &str| readings.sum(name, &[]);
    let Some(produced) = sum("flag_exposures_produced_total") else {
        return html! { p { "This replica records no exposures." } };
    };
    let [written, dropped, pending] = [
        "flag_exposures_written_total",
        "flag_exposures_dropped_total",
        "flag_exposures_pending",
    ]
    .map(|name| sum(name).unwrap_or(0));
    let accounted = written.saturating_add(dropped).saturating_add(pending);
    let (class, sign, says) = if produced == accounted {
        ("fits", "=", "none is missing")
    } else {
        ("problem", "≠", "they do not add up")
    };
    html! {
        p class=(class) id="balance" {
            (thousands(produced)) " produced " (sign) " " (thousands(written)) " written + " (thousands(dropped)) " dropped + "
            (thousands(pending)) " pending: " (says) "."
        }
    }
}

fn caches(readings: &Readings) -> Markup {
    let mut rows = Vec::new();
    for (what, metric) in [
        ("Flags in memory", "flag_cache_entries"),
        (
            "Flags known not to be served: unknown, unreadable, or not read",
            "flag_cache_unknown_entries",
        ),
        ("Flags served by their last known value", "flag_stale_flags"),
        (
            "Seconds since the oldest of these was confirmed",
            "flag_oldest_stale_seconds",
        ),
        (
            "Projects that went back to an older state",
            "flag_store_restores_total",
        ),
    ] {
        rows.extend(one(readings, what, metric));
    }
    rows.extend(each(readings, "Look-ups", "flag_cache_lookups_total"));
    rows.extend(each(
        readings,
        "Reads of a flag",
        "flag_cache_refreshes_total",
    ));
    table("Caches", &rows)
}

fn store(readings: &Readings) -> Markup {
    let circuits = readings
        .all("flag_store_circuit_open")
        .map(|circuit| NumberRow {
            what: format!("Circuit of {}", circuit.label_values()),
            value: if circuit.value == 0 {
                "closed"
            } else {
                "open: the store is not called"
            }
            .to_owned(),
            metric: circuit.series.clone(),
        });
    let mut rows: Vec<NumberRow> = circuits.collect();
    rows.extend(one(readings, "In flight", "flag_store_calls_in_flight"));
    rows.extend(each(
        readings,
        "Circuit opened",
        "flag_store_circuit_openings_total",
    ));
    rows.extend(each(readings, "Calls", "flag_store_calls_total"));
    rows.extend(each(
        readings,
        "Not called",
        "flag_store_calls_rejected_total",
    ));
    let name = "flag_store_call_duration_seconds";
    let counted = format!("{name}_count");
    let operations = readings.all(&counted).filter(|reading| reading.value > 0);
    let operations: Vec<&str> = operations
        .map(|reading| reading.label("operation"))
        .collect();
    let labels: Vec<[(&str, &str); 1]> = operations.iter().map(|of| [("operation", *of)]).collect();
    let times = operations.iter().zip(&labels);
    let times: Vec<Timed<'_>> = times
        .map(|(of, labels)| (*of, name, labels.as_slice()))
        .collect();
    html! { (table("Calls to the store", &rows)) (timed(readings, "Time of calls to the store", &times)) }
}

fn pages(readings: &Readings) -> Markup {
    let requests = readings.all("flag_requests_total");
    let requests =
        requests.filter(|reading| reading.label("route") == "/dashboard" && reading.value > 0);
    let rows = requests.map(|reading| NumberRow {
        what: format!("Answered with {}", reading.label("status")),
        value: thousands(reading.value),
        metric: reading.series.clone(),
    });
    table("Pages of the dashboard", &rows.collect::<Vec<_>>())
}

/// The sum of a metric, if there is one.
fn one(readings: &Readings, what: &str, metric: &str) -> Option<NumberRow> {
    let value = readings.sum(metric, &[])?;
    Some(NumberRow {
        what: what.to_owned(),
        value: thousands(value),
        metric: metric.to_owned(),
    })
}

/// The numbers of a metric that are not zero, by its labels.
fn each(readings: &Readings, what: &str, metric: &str) -> Vec<NumberRow> {
    let found = readings.all(metric).filter(|reading| reading.value > 0);
    let rows = found.map(|reading| NumberRow {
        what: format!("{what}: {}", reading.label_values().replace('_', " ")),
        value: thousands(reading.value),
        metric: reading.series.clone(),
    });
    rows.collect()
}

fn table(label: &str, rows: &[NumberRow]) -> Markup {
    html! {
        @if rows.is_empty() { p { "Nothing yet." } } @else {
            div.wide tabindex="0" role="region" aria-label=(label) {
                table {
                    thead { tr { th scope="col" { "What" } th.number scope="col" { "Value" } th scope="col" { "Metric" } } }
                    tbody { @for row in rows { tr {
                        th scope="row" { (row.what) }
                        td.number { (row.value) }
                        td { code.hint { (row.metric) } }
                    } } }
                }
            }
        }
    }
}

/// How often something was timed, and within which bounds half and nearly all of it stayed.
fn timed(readings: &Readings, label: &str, times: &[Timed<'_>]) -> Markup {
    let times = times.iter().filter_map(|(what, metric, labels)| {
        Some((what, metric, readings.histogram(metric, labels)?))
    });
    let times: Vec<_> = times.collect();
    html! {
        @if !times.is_empty() {
            div.wide tabindex="0" role="region" aria-label=(label) {
                table {
                    thead { tr { th scope="col" { "Time" } th.number scope="col" { "Count" } th.number scope="col" { "p50" }
                        th.number scope="col" { "p99" } th scope="col" { "Metric" } } }
                    tbody { @for (what, metric, histogram) in &times { tr {
                        th scope="row" { (what) }
                        td.number { (thousands(histogram.count)) }
                        td.number { (histogram.within(50)) }
                        td.number { (histogram.within(99)) }
                        td { code.hint { (metric) } }
                    } } }
                }
            }
            p.hint { "Since this replica started; times are upper bounds of buckets." }
        }
    }
}
