//! What the service counts, as a scrape of `/metrics` gives it.

use std::time::{Duration, Instant};

use crate::Service;

/// The samples of one scrape.
#[derive(Clone, Debug)]
pub struct Scrape(String);

impl Scrape {
    /// The sum of the samples of this name whose labels include these; zero if there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.samples(name, labels).map(|(_, value)| value).sum()
    }

    /// Whether there is a sample of this name whose labels include these.
    pub fn has(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        self.samples(name, labels).next().is_some()
    }

    /// The text as it was scraped.
    pub fn text(&self) -> &str {
        &self.0
    }

    fn samples<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&'a str, &'a str)],
    ) -> impl Iterator<Item = (&'a str, f64)> {
        self.0.lines().filter_map(move |line| {
            let rest = line.strip_prefix(name)?;
            let (found, value) = match rest.strip_prefix('{') {
                Some(rest) => rest.rsplit_once("} ")?,
                None => ("", rest.strip_prefix(' ')?),
            };
            let is_there =
                |(label, value): &(&str, &str)| found.contains(&format!("{label}=\"{value}\""));
            if !labels.iter().all(is_there) {
                return None;
            }
            Some((found, value.split(' ').next()?.parse().ok()?))
        })
    }
}

impl Service {
    /// Scrapes `/metrics`.
    pub async fn scrape(&self) -> Scrape {
        let response = self.request(crate::Method::GET, "/metrics").send().await;
        let response = response.unwrap();
        assert_eq!(response.status().as_u16(), 200);
        Scrape(response.text().await.unwrap())
    }

    /// Scrapes until the scrape is as wanted; how long that took. Fails after `limit`.
    pub async fn scrape_until(
        &self,
        limit: Duration,
        wanted: impl Fn(&Scrape) -> bool,
    ) -> Duration {
        let began = Instant::now();
        loop {
            let scrape = self.scrape().await;
            if wanted(&scrape) {
                return began.elapsed();
            }
            assert!(began.elapsed() < limit, "not so:\n{}", scrape.text());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_summed_by_name_and_labels() {
        let scrape = Scrape(
            "# TYPE a counter\na_total{x=\"1\",y=\"2\"} 3\na_total{x=\"1\"} 4 17.5\na_totals 9\nb 5\n"
                .into(),
        );
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found}");
        near(scrape.sum("a_total", &[]), 7.0);
        near(scrape.sum("a_total", &[("y", "2")]), 3.0);
        near(scrape.sum("b", &[]), 5.0);
        assert!(!scrape.has("c", &[]));
    }
}
