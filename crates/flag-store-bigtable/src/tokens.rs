//! The access token that calls carry: fetched ahead of its end, and anew when Bigtable refuses it.
//!
//! Calls never fetch one themselves. While none can be had, they use the one that there is up to its end, and then
//! fail with the error of the token endpoint.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use flag_model::{Backoff, Jitter};
use flag_store::BoxFuture;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};
use tonic::codegen::http::HeaderValue;
use tracing::{info, warn};

use crate::connect_error::CredentialsError;
use crate::credentials::Fetched;

/// How long before its end a token is replaced. Google's metadata server gives the same one until 4 minutes before.
const AHEAD: Duration = Duration::from_secs(225);
/// A token younger than this is not replaced however often Bigtable refuses it.
const SETTLED: Duration = Duration::from_secs(5);
/// The shortest pause between two tokens.
const LEAST: Duration = Duration::from_secs(1);
/// Pauses between attempts to fetch one.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(250),
    max: Duration::from_secs(5),
    jitter: Jitter::between(0.5, 1.0),
};

/// Where tokens come from.
pub(crate) type Source =
    Arc<dyn Fn() -> BoxFuture<'static, Result<Fetched, CredentialsError>> + Send + Sync>;

/// The token in use, which is renewed for as long as this lives.
pub(crate) struct Tokens {
    state: watch::Sender<State>,
    renew: Arc<Notify>,
    renewing: AbortHandle,
}

struct State {
    token: Token,
    /// Why the last attempt to fetch one failed.
    problem: Option<CredentialsError>,
}

struct Token {
    header: HeaderValue,
    fetched: Instant,
    ends: Instant,
    is_refused: bool,
}

impl Tokens {
    /// Fetches the first token.
    pub(crate) async fn open(source: Source) -> Result<Arc<Self>, CredentialsError> {
        let token = Token::new(source().await?);
        let problem = None;
        let (state, _) = watch::channel(State { token, problem });
        let renew = Arc::new(Notify::new());
        let renewing = renew_for_ever(source, state.clone(), Arc::clone(&renew));
        Ok(Arc::new(Self {
            state,
            renew,
            renewing: tokio::spawn(renewing).abort_handle(),
        }))
    }

    /// The header of the token in use; waits while a new one is being fetched and there is none.
    pub(crate) async fn header(&self) -> Result<HeaderValue, CredentialsError> {
        let mut state = self.state.subscribe();
        loop {
            if let Some(answer) = state.borrow_and_update().answer() {
                return answer;
            }
            if state.changed().await.is_err() {
                return Err(CredentialsError::Missing);
            }
        }
    }

    /// Takes note that Bigtable refused this token.
    pub(crate) fn refused(&self, header: &HeaderValue) {
        let is_newly_refused = self.state.send_if_modified(|state| {
            let token = &mut state.token;
            let is_new = !token.is_refused && token.fetched.elapsed() >= SETTLED;
            let is_it = token.header == *header;
            token.is_refused |= is_new && is_it;
            is_new && is_it
        });
        if is_newly_refused {
            self.renew.notify_one();
        }
    }
}

impl Drop for Tokens {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl State {
    /// What a call gets; `None` if it has to wait.
    fn answer(&self) -> Option<Result<HeaderValue, CredentialsError>> {
        // While no other token can be had, one that was refused once may be good after all.
        if self.token.is_usable() || (self.problem.is_some() && self.token.has_not_ended()) {
            return Some(Ok(self.token.header.clone()));
        }
        self.problem.clone().map(Err)
    }
}

impl Token {
    fn new(fetched: Fetched) -> Self {
        let now = Instant::now();
        Self {
            header: fetched.header,
            fetched: now,
            // Centuries are as good as for ever.
            ends: now + fetched.valid_for.min(Duration::from_hours(24 * 365)),
            is_refused: false,
        }
    }

    fn is_usable(&self) -> bool {
        !self.is_refused && self.has_not_ended()
    }

    fn has_not_ended(&self) -> bool {
        Instant::now() < self.ends
    }

    /// When it is time to fetch the next one.
    fn due(&self) -> Instant {
        let life = self.ends - self.fetched;
        self.fetched + life.saturating_sub(AHEAD).max(life / 2).max(LEAST)
    }
}

async fn renew_for_ever(source: Source, state: watch::Sender<State>, renew: Arc<Notify>) {
    let mut failures = 0;
    let mut due = state.borrow().token.due();
    loop {
        let now = Instant::now();
        // While fetching fails, a token that is refused hurries nothing.
        let asked = async {
            match failures {
                0 => renew.notified().await,
                _ => std::future::pending().await,
            }
        };
        let _ = timeout(due.saturating_duration_since(now), asked).await;
        match source().await {
            Ok(fetched) => {
                let token = Token::new(fetched);
                due = token.due();
                let problem = None;
                state.send_replace(State { token, problem });
                if failures > 0 {
                    info!("access token for Google Cloud renewed");
                }
                failures = 0;
            }
            Err(problem) => {
                due = Instant::now() + BACKOFF.delay(failures, fastrand::f64());
                if failures == 0 {
                    let ends = state.borrow().token.ends;
                    let valid_seconds = ends.saturating_duration_since(Instant::now()).as_secs();
                    warn!(%problem, valid_seconds, "access token for Google Cloud not renewed; it is tried again");
                }
                failures = failures.saturating_add(1);
                state.send_modify(|state| state.problem = Some(problem));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Mutex, PoisonError};

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    /// Gives scripted answers in turn, and records when it was asked.
    #[derive(Clone, Default)]
    struct Endpoint(Arc<Mutex<(VecDeque<Answer>, Vec<Instant>)>>);

    #[derive(Clone)]
    enum Answer {
        Token(&'static str, Duration),
        Down,
        Silence,
    }

    impl Endpoint {
        fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
            Self(Arc::new(Mutex::new((
                answers.into_iter().collect(),
                Vec::new(),
            ))))
        }

        fn source(&self) -> Source {
            let endpoint = self.clone();
            Arc::new(move || {
                let endpoint = endpoint.clone();
                Box::pin(async move { endpoint.answer().await })
            })
        }

        async fn answer(&self) -> Result<Fetched, CredentialsError> {
            let answer = {
                let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                asked.1.push(Instant::now());
                // The last answer is for ever.
                match asked.0.len() {
                    1 => asked.0.front().cloned(),
                    _ => asked.0.pop_front(),
                }
            };
            match answer.unwrap() {
                Answer::Token(token, valid_for) => Ok(Fetched {
                    header: HeaderValue::from_static(token),
                    valid_for,
                }),
                Answer::Down => Err(CredentialsError::TimedOut { after: HOUR }),
                Answer::Silence => std::future::pending().await,
            }
        }

        /// How long after `began` it was asked, in seconds.
        fn asked(&self, began: Instant) -> Vec<u64> {
            let asked = self.0.lock().unwrap();
            let since = |at: &Instant| (*at - began).as_secs();
            asked.1.iter().map(since).collect()
        }
    }

    async fn after(seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    #[track_caller]
    fn check(header: Result<HeaderValue, CredentialsError>, expected: &str) {
        assert_eq!(header.unwrap(), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_replaced_ahead_of_its_end() {
        let endpoint = Endpoint::new([Answer::Token("one", HOUR), Answer::Token("two", HOUR)]);
        let began = Instant::now();
        let tokens = Tokens::open(endpoint.source()).await.unwrap();
        after(3_374).await;
        check(tokens.header().await, "one");
        after(2).await;
        check(tokens.header().await, "two");
        assert_eq!(endpoint.asked(began), [0, 3_375]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_that_lives_shortly_is_replaced_in_the_middle_of_its_life() {
        let minute = Duration::from_mins(1);
        let endpoint = Endpoint::new([Answer::Token("one", minute)]);
        let began = Instant::now();
        let _tokens = Tokens::open(endpoint.source()).await.unwrap();
        after(100).await;
        assert_eq!(endpoint.asked(began), [0, 30, 60, 90]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_without_a_life_is_not_fetched_all_the_time() {
        let endpoint = Endpoint::new([Answer::Token("one", Duration::ZERO)]);
        let began = Instant::now();
        let _tokens = Tokens::open(endpoint.source()).await.unwrap();
        after(10).await;
        assert!(endpoint.asked(began).len() <= 11);
    }

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_that_is_down_costs_nothing_before_the_token_ends() {
        let endpoint = Endpoint::new([Answer::Token("one", HOUR), Answer::Down]);
        let began = Instant::now();
        let tokens = Tokens::open(endpoint.source()).await.unwrap();
        after(3_599).await;
        check(tokens.header().await, "one");
        after(1).await;
        // From then on calls fail at once.
        let asked = Instant::now();
        assert!(tokens.header().await.is_err());
        assert_eq!(asked.elapsed(), Duration::ZERO);
        let attempts = endpoint.asked(began).len();
        assert!((45..=110).contains(&attempts), "{attempts}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_that_is_back_is_asked_within_seconds() {
        let down = std::iter::repeat_n(Answer::Down, 100);
        let one = std::iter::once(Answer::Token("one", HOUR));
        let two = std::iter::once(Answer::Token("two", HOUR));
        let endpoint = Endpoint::new(one.chain(down).chain(two));
        let began = Instant::now();
        let tokens = Tokens::open(endpoint.source()).await.unwrap();
        after(3_600 + 500).await;
        check(tokens.header().await, "two");
        let asked = endpoint.asked(began);
        assert!(asked.windows(2).skip(1).all(|two| two[1] - two[0] <= 5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_waits_for_an_endpoint_that_is_slow() {
        let endpoint = Endpoint::new([Answer::Token("one", HOUR), Answer::Silence]);
        let tokens = Tokens::open(endpoint.source()).await.unwrap();
        after(3_600).await;
        let waiting = timeout(Duration::from_secs(1), tokens.header()).await;
        assert!(waiting.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_that_is_refused_is_replaced_at_once() {
        let endpoint = Endpoint::new([Answer::Token("one", HOUR), Answer::Token("two", HOUR)]);
        let tokens = Tokens::open(endpoint.source()).await.unwrap();
        after(60).await;
        tokens.refused(&HeaderValue::from_static("one"));
        check(tokens.header().await, "two");
        // Late news of the old one.
        after(60).await;
        tokens.refused(&HeaderValue::from_static("one"));
        check(tokens.header().await, "two");
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_that_was_refused_is_better_than_none() {
        let endpoint = Endpoint::new([Answer::Token("one", HOUR), Answer::Down]);
        let tokens = Tokens::open(endpoint.source()).await.unwrap();
        after(60).await;
        tokens.refused(&HeaderValue::from_static("one"));
        after(20).await;
        check(tokens.header().await, "one");
        after(3_600).await;
        assert!(tokens.header().await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_refuses_every_token_costs_few() {
        let endpoint = Endpoint::new([Answer::Token("one", HOUR)]);
        let began = Instant::now();
        let tokens = Tokens::open(endpoint.source()).await.unwrap();
        for _ in 0..1_000 {
            let header = tokens.header().await.unwrap();
            tokens.refused(&header);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(endpoint.asked(began), [0, 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_that_are_dropped_are_not_renewed() {
        let endpoint = Endpoint::new([Answer::Token("one", HOUR)]);
        let began = Instant::now();
        drop(Tokens::open(endpoint.source()).await.unwrap());
        after(10_000).await;
        assert_eq!(endpoint.asked(began), [0]);
    }
}
