//! The rate limit: generic cell rate algorithm, one number per caller, bounded number of callers.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;

use super::authorization::Principal;
use super::error::AccessError;

/// The most addresses in memory; an address that was dropped starts again with a full burst.
const ADDRESSES: usize = 32_768;

/// Bits of an IPv6 address that identify a caller: a subscriber owns the rest.
const IPV6_BITS: u32 = 64;

/// What identifies a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Callers {
    /// The key; without one, the address.
    ByKey,
    /// The address.
    ByAddress,
}

/// Settings of the rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RateSettings {
    /// Requests per second, in the long run.
    pub(crate) per_second: NonZeroU32,
    /// Requests at once.
    pub(crate) burst: NonZeroU32,
    /// What identifies a caller.
    pub(crate) callers: Callers,
}

/// The theoretical arrival time of a caller, as the generic cell rate algorithm calls it: the nanosecond at which all its
/// requests are paid for.
#[derive(Debug, Default)]
pub(super) struct ArrivalTime(AtomicU64);

/// Counts the requests of every caller.
#[derive(Debug)]
pub(super) struct RateLimit {
    callers: Callers,
    began: Instant,
    /// Nanoseconds that a request costs.
    cost: u64,
    /// Nanoseconds that a caller may owe when it sends a request.
    credit: u64,
    addresses: Cache<IpAddr, Arc<ArrivalTime>>,
}

impl RateLimit {
    pub(super) fn new(settings: RateSettings) -> Self {
        let cost = 1_000_000_000 / u64::from(settings.per_second.get());
        Self {
            callers: settings.callers,
            began: Instant::now(),
            cost,
            credit: cost * u64::from(settings.burst.get() - 1),
            addresses: Cache::new(ADDRESSES),
        }
    }

    /// Counts a request, or refuses it. Without a principal the caller is an address.
    pub(super) fn take(
        &self,
        client: impl FnOnce() -> Option<IpAddr>,
        principal: Option<&Principal>,
    ) -> Result<(), AccessError> {
        let now = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let must_wait = match (self.callers, principal) {
            (Callers::ByKey, Some(Principal::Holder(key))) => self.charge(&key.arrival, now),
            _ => client().and_then(|client| self.charge(&self.of(client), now)),
        };
        must_wait.map_or(Ok(()), |after| Err(AccessError::TooManyRequests { after }))
    }

    /// Counts further answers of an admitted request, or refuses them. They may exceed the burst: the caller pays before its
    /// next request.
    pub(super) fn take_more(
        &self,
        client: impl FnOnce() -> Option<IpAddr>,
        principal: &Principal,
        more: u64,
    ) -> Result<(), AccessError> {
        let now = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let must_wait = match (self.callers, principal) {
            (Callers::ByKey, Principal::Holder(key)) => self.charge_more(&key.arrival, now, more),
            _ => client().and_then(|client| self.charge_more(&self.of(client), now, more)),
        };
        must_wait.map_or(Ok(()), |after| Err(AccessError::TooManyRequests { after }))
    }

    fn of(&self, address: IpAddr) -> Arc<ArrivalTime> {
        let address = subscriber(address);
        self.addresses.get(&address).unwrap_or_else(|| {
            let arrival = Arc::<ArrivalTime>::default();
            self.addresses.insert(address, Arc::clone(&arrival));
            arrival
        })
    }

    /// Charges the caller for a request, or returns how long it must wait.
    fn charge(&self, arrival: &ArrivalTime, now: u64) -> Option<Duration> {
        charge(arrival, now, self.credit, self.cost)
    }

    /// Charges it for further answers of a request, without the cost of the request itself, or returns how long it must wait.
    fn charge_more(&self, arrival: &ArrivalTime, now: u64, more: u64) -> Option<Duration> {
        let cost = self.cost.saturating_mul(more);
        charge(arrival, now, self.credit + self.cost, cost)
    }
}

/// Charges a caller that owes no more than its credit; else returns how long it must wait.
fn charge(arrival: &ArrivalTime, now: u64, credit: u64, cost: u64) -> Option<Duration> {
    let next_paid_until = |paid_until: u64| paid_until.max(now).saturating_add(cost);
    let taken = arrival
        .0
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |paid_until| {
            (paid_until.saturating_sub(now) <= credit).then(|| next_paid_until(paid_until))
        });
    let paid_until = taken.err()?;
    Some(Duration::from_nanos(
        paid_until.saturating_sub(now + credit),
    ))
}

/// Returns the part of an address that identifies a subscriber.
fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let kept = u128::MAX << (128 - IPV6_BITS);
            Ipv6Addr::from_bits(address.to_bits() & kept).into()
        }
        IpAddr::V4(address) => address.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn limit(per_second: u32, burst: u32) -> RateLimit {
        RateLimit::new(RateSettings {
            per_second: NonZeroU32::new(per_second).unwrap(),
            burst: NonZeroU32::new(burst).unwrap(),
            callers: Callers::ByAddress,
        })
    }

    /// How many of these requests, made at this nanosecond, are let in.
    fn let_in(limit: &RateLimit, arrival: &ArrivalTime, now: u64, requests: usize) -> usize {
        let charged = (0..requests).map(|_| limit.charge(arrival, now));
        charged.filter(Option::is_none).count()
    }

    #[test]
    fn a_quiet_caller_may_ask_in_a_burst_and_then_at_its_rate() {
        let (limit, arrival) = (limit(10, 5), ArrivalTime::default());
        assert_eq!(let_in(&limit, &arrival, SECOND, 100), 5);
        let wait = limit.charge(&arrival, SECOND).unwrap();
        assert_eq!(wait, Duration::from_millis(100));
        let later = (1..=20).map(|tenth| SECOND + tenth * SECOND / 10);
        let later = later.map(|now| let_in(&limit, &arrival, now, 7));
        assert!(later.into_iter().all(|number| number == 1));
        assert_eq!(let_in(&limit, &arrival, 60 * SECOND, 100), 5);
    }

    #[test]
    fn further_answers_are_paid_for_before_the_next_request() {
        let (limit, arrival) = (limit(10, 2), ArrivalTime::default());
        assert_eq!(limit.charge(&arrival, SECOND), None);
        assert_eq!(limit.charge_more(&arrival, SECOND, 99), None);
        // 100 requests are owed, of which the burst forgives one.
        let wait = Duration::from_millis(9_900);
        assert_eq!(limit.charge(&arrival, SECOND), Some(wait));
        assert_eq!(let_in(&limit, &arrival, SECOND * 109 / 10 - 1, 1), 0);
        assert_eq!(let_in(&limit, &arrival, SECOND * 109 / 10, 5), 1);
    }

    #[test]
    fn of_many_requests_at_once_one_may_ask_for_more() {
        let (limit, arrival) = (limit(10, 5), ArrivalTime::default());
        assert_eq!(let_in(&limit, &arrival, SECOND, 5), 5);
        let more = (0..5).map(|_| limit.charge_more(&arrival, SECOND, 499));
        assert_eq!(more.filter(Option::is_none).count(), 1);
    }

    #[test]
    fn callers_are_counted_apart_and_an_ipv6_network_is_one() {
        let limit = limit(1, 1);
        let of = |address: &str| limit.of(address.parse().unwrap());
        assert!(limit.charge(&of("192.0.2.1"), 0).is_none());
        assert!(limit.charge(&of("::ffff:192.0.2.1"), 0).is_some());
        assert!(limit.charge(&of("192.0.2.2"), 0).is_none());
        assert!(limit.charge(&of("2001:db8::1"), 0).is_none());
        assert!(limit.charge(&of("2001:db8::2"), 0).is_some());
        assert!(limit.charge(&of("2001:db8:0:1::1"), 0).is_none());
    }

    #[test]
    fn addresses_are_bounded() {
        let limit = limit(1, 1);
        for number in 0..200_000_u32 {
            limit.of(std::net::Ipv4Addr::from_bits(number).into());
        }
        assert!(limit.addresses.len() <= ADDRESSES);
    }
}
