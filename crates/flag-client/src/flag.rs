//! Flags as constants: all flags of an application in one place, with their types.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Either, Ready, ready};

use crate::async_client::AsyncFeatureFlagClient;
use crate::call::Call;
use crate::client::FeatureFlagClient;
use crate::detail::Detail;
use crate::question::{FlagRef, Question};
use crate::value::ValueType;

/// A flag that holds `T`, as [`flags!`](crate::flags) declares it.
#[derive(Debug)]
pub struct Flag<T: ValueType> {
    name: &'static str,
    default_value: T::Const,
    ticket: &'static str,
}

impl<T: ValueType> Flag<T> {
    /// A flag of this name, with the default for when there is no value, and the ticket of its removal.
    pub const fn new(name: &'static str, default_value: T::Const, ticket: &'static str) -> Self {
        Self {
            name,
            default_value,
            ticket,
        }
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The value for when the service gives none.
    pub const fn default_value(&self) -> T::Const {
        self.default_value
    }

    /// The ticket of its removal.
    pub const fn ticket(&self) -> &'static str {
        self.ticket
    }

    /// Its type and name.
    pub const fn to_ref(&self) -> FlagRef<'static> {
        FlagRef {
            flag_type: T::FLAG_TYPE,
            name: self.name,
        }
    }

    fn question<'a>(&self, instance_id: &'a str) -> Question<'a> {
        Question::new::<T>(self.name, instance_id)
    }

    /// The value for this instance; with an async client, a future of it.
    pub fn get<C: FlagClient>(&self, client: &C, instance_id: &str) -> C::Output<T> {
        client.ask(self, instance_id, |detail| detail.value)
    }

    /// Like [`Self::get`], with the source of the value.
    pub fn get_detail<C: FlagClient>(&self, client: &C, instance_id: &str) -> C::Output<Detail<T>> {
        client.ask(self, instance_id, |detail| detail)
    }
}

/// For every type: a `Flag<String>` holds no `String`.
impl<T: ValueType> Copy for Flag<T> {}

impl<T: ValueType> Clone for Flag<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ValueType> From<Flag<T>> for FlagRef<'static> {
    fn from(flag: Flag<T>) -> Self {
        flag.to_ref()
    }
}

/// Implemented by the two clients, for [`Flag::get`].
pub trait FlagClient: sealed::Sealed {
    /// What a call returns: the answer, or a future of it.
    type Output<A: Send + 'static>;

    #[doc(hidden)]
    fn ask<T: ValueType, A: Send + 'static>(
        &self,
        flag: &Flag<T>,
        instance_id: &str,
        part: fn(Detail<T>) -> A,
    ) -> Self::Output<A>;
}

impl FlagClient for FeatureFlagClient {
    type Output<A: Send + 'static> = A;

    fn ask<T: ValueType, A: Send + 'static>(
        &self,
        flag: &Flag<T>,
        instance_id: &str,
        part: fn(Detail<T>) -> A,
    ) -> A {
        let call = self.backend().begin(flag.question(instance_id));
        part(Detail::new(call.wait(), flag.default_value))
    }
}

impl FlagClient for AsyncFeatureFlagClient {
    type Output<A: Send + 'static> = FlagFuture<A>;

    fn ask<T: ValueType, A: Send + 'static>(
        &self,
        flag: &Flag<T>,
        instance_id: &str,
        part: fn(Detail<T>) -> A,
    ) -> FlagFuture<A> {
        let default_value = flag.default_value;
        let finish = move |answer| part(Detail::new(answer, default_value));
        FlagFuture(match self.backend().begin(flag.question(instance_id)) {
            Call::Answered(answer) => Either::Left(ready(finish(answer))),
            Call::InFlight(awaited) => Either::Right(awaited.answer().map(finish).boxed()),
        })
    }
}

/// The answer of an async client. The request is sent even if this is not awaited.
#[must_use = "the answer is there when this is awaited"]
pub struct FlagFuture<A>(Either<Ready<A>, BoxFuture<'static, A>>);

impl<A> fmt::Debug for FlagFuture<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlagFuture").finish_non_exhaustive()
    }
}

impl<A> Future for FlagFuture<A> {
    type Output = A;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<A> {
        Pin::new(&mut self.get_mut().0).poll(context)
    }
}

mod sealed {
    /// Keeps others from implementing the trait.
    pub trait Sealed {}

    impl Sealed for crate::client::FeatureFlagClient {}
    impl Sealed for crate::async_client::AsyncFeatureFlagClient {}
}

/// Declares the flags of an application as constants, and `ALL`, the list of them.
///
/// Each has a type (`bool` or `String`), a default, a name, and the ticket of its removal. Attributes, such as
/// `#[deprecated]`, apply to the constant; put a `#[cfg]` on the module, as `ALL` lists every flag.
///
/// ```
/// mod flags {
///     flag_client::flags! {
///         /// Sends questions through the router with several steps.
///         pub MULTI_STEP_API_ROUTER: bool = false,
///             name = "multi_step_api_router", ticket = "https://tickets.example/CSR-1";
///         /// Who answers.
///         pub LLM_PROVIDER: String = "vertex",
///             name = "llm_provider", ticket = "https://tickets.example/CSR-2";
///     }
/// }
/// # let fixed = flag_client::testing::FixedFlags::new();
/// # fixed.set("multi_step_api_router", true);
/// # let client = fixed.client();
/// // client: FeatureFlagClient; with an AsyncFeatureFlagClient, add `.await`.
/// client.prefetch(flags::ALL, "A12345");
/// let routes: bool = flags::MULTI_STEP_API_ROUTER.get(&client, "A12345");
/// let provider: String = flags::LLM_PROVIDER.get(&client, "A12345");
/// # assert_eq!((routes, &*provider), (true, "vertex"));
/// ```
#[macro_export]
macro_rules! flags {
    ($($(#[$attribute:meta])* $visibility:vis $flag:ident: $value:ty = $default:expr, name = $name:literal, ticket = $ticket:literal;)+) => {
        $(
            $(#[$attribute])*
            $visibility const $flag: $crate::Flag<$value> =
                $crate::Flag::<$value>::new($name, $default, $ticket);
        )+

        /// All of these flags.
        #[allow(dead_code, deprecated, reason = "for applications that prefetch or list them all")]
        pub const ALL: &[$crate::FlagRef<'static>] = &[$($flag.to_ref()),+];
    };
}
