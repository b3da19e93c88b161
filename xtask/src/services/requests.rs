//! The requests of a load, by their number: the same in every run.
use std::fmt::Write as _;
use std::str::FromStr;
use std::sync::Arc;

use flag_load::WriteRequest;

/// Parts of the load, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mix {
    /// Flags that are not there.
    unknown: u64,
    /// Invalid requests.
    error: u64,
}

/// The kind of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Hit,
    Unknown,
    Error,
}

/// Writes requests for flags.
#[derive(Clone, Debug)]
pub(crate) struct Requests {
    mix: Mix,
    instances: u64,
    /// The first lines up to the instance id, one per flag.
    hits: Arc<[String]>,
    project: String,
    order: InstanceOrder,
}

/// The order of the instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InstanceOrder {
    Random,
    Sequential,
}

impl Requests {
    /// Requests for these flags, `type/name`.
    pub(crate) fn new(mix: Mix, instances: u64, project: &str, flags: &[String]) -> Self {
        let hits = flags.iter().map(|flag| {
            let (flag_type, name) = flag.split_once('/').unwrap_or(("feature", flag));
            begin(project, flag_type, name)
        });
        Self {
            mix,
            instances,
            hits: hits.collect(),
            project: project.to_owned(),
            order: InstanceOrder::Random,
        }
    }

    /// Requests for features of several projects, project and name, all of which are there.
    pub(crate) fn features<'a>(
        instances: u64,
        flags: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let mix = Mix {
            unknown: 0,
            error: 0,
        };
        let hits = flags.map(|(project, name)| begin(project, "feature", name));
        Self {
            hits: hits.collect(),
            ..Self::new(mix, instances, "", &[])
        }
    }

    /// The same with one instance after the other instead of a random one, so that each request has its own.
    pub(crate) fn sequential(self) -> Self {
        Self {
            order: InstanceOrder::Sequential,
            ..self
        }
    }

    /// As a load takes them.
    pub(crate) fn writer(self) -> Arc<WriteRequest> {
        Arc::new(move |number, request| self.write(number, request))
    }

    /// Writes a request and returns the status that its answer should have.
    fn write(&self, number: u64, into: &mut String) -> u16 {
        let random = scatter(number);
        into.clear();
        let status = match self.mix.kind(random % 1_000) {
            Kind::Hit => {
                let flags = self.hits.len() as u64;
                let flag = usize::try_from(number % flags.max(1)).unwrap_or(0);
                into.push_str(self.hits.get(flag).map_or("", String::as_str));
                200
            }
            Kind::Unknown => {
                let name = format!("unknown_{}", random % 100_000);
                into.push_str(&begin(&self.project, "feature", &name));
                404
            }
            Kind::Error => {
                into.push_str(&begin(&self.project, "wrong", "f"));
                400
            }
        };
        let instance = match self.order {
            InstanceOrder::Random => (random >> 10) % self.instances,
            InstanceOrder::Sequential => number % self.instances,
        };
        // Writing to a text cannot fail.
        let _ = write!(into, "A{instance} HTTP/1.1\r\nhost: load-test\r\n\r\n");
        status
    }
}

fn begin(project: &str, flag_type: &str, name: &str) -> String {
    format!(
        "GET /get-feature-flag?project_name={project}&flag_type={flag_type}&flag_name={name}&instance_id="
    )
}

/// A number that looks random, and is the same for the same number (the finaliser of `SplitMix64`).
fn scatter(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Mix {
    fn kind(self, thousandth: u64) -> Kind {
        if thousandth < self.unknown {
            Kind::Unknown
        } else if thousandth < self.unknown + self.error {
            Kind::Error
        } else {
            Kind::Hit
        }
    }
}

impl FromStr for Mix {
    type Err = String;

    /// Reads `hit=98,unknown=1.5,error=0.5`, in percent.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("found {text}, expected hit=…,unknown=…,error=… that add up to 100");
        let (mut hit, mut unknown, mut error) = (0, 0, 0);
        for part in text.split(',') {
            let (name, percent) = part.split_once('=').ok_or_else(wrong)?;
            let percent: f64 = percent.parse().map_err(|_| wrong())?;
            if !(0.0..=100.0).contains(&percent) {
                return Err(wrong());
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "checked above"
            )]
            let thousandths = (percent * 10.0).round() as u64;
            *match name {
                "hit" => &mut hit,
                "unknown" => &mut unknown,
                "error" => &mut error,
                _ => return Err(wrong()),
            } = thousandths;
        }
        if hit + unknown + error == 1_000 {
            Ok(Self { unknown, error })
        } else {
            Err(wrong())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_adds_up() {
        let mix = Mix {
            unknown: 15,
            error: 5,
        };
        assert_eq!("hit=98,unknown=1.5,error=0.5".parse(), Ok(mix));
        for wrong in [
            "",
            "hit=99",
            "hit=101",
            "hits=100",
            "hit=x",
            "hit=150,error=-50",
        ] {
            assert!(wrong.parse::<Mix>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn in_sequence_no_instance_comes_twice() {
        let flags = [("p", "f"), ("q", "g")];
        let asks = Requests::features(10, flags.into_iter()).sequential();
        let written = (0..10).map(|number| {
            let mut request = String::new();
            assert_eq!(asks.write(number, &mut request), 200);
            request
        });
        let written: Vec<String> = written.collect();
        for (instance, request) in written.iter().enumerate() {
            assert!(request.contains(&format!("&instance_id=A{instance} ")));
            let (project, name) = flags[instance % 2];
            assert!(request.contains(&format!("={project}&flag_type=feature&flag_name={name}&")));
        }
    }

    #[test]
    fn requests_are_the_same_in_every_run_and_mixed_as_asked() {
        let mix = "hit=90,unknown=5,error=5".parse().unwrap();
        let asks = Requests::new(mix, 1_000_000, "p", &["data/f".into()]);
        let mut request = String::new();
        let mut again = String::new();
        let mut counts = [0; 3];
        for number in 0..100_000 {
            let status = asks.write(number, &mut request);
            assert_eq!(asks.write(number, &mut again), status);
            assert_eq!(request, again);
            match status {
                200 => counts[0] += 1,
                404 => counts[1] += 1,
                _ => counts[2] += 1,
            }
        }
        assert!((88_000..92_000).contains(&counts[0]), "{counts:?}");
        assert!((4_500..5_500).contains(&counts[1]), "{counts:?}");
        assert!((4_500..5_500).contains(&counts[2]), "{counts:?}");
    }
}
