//! What others have changed since a form was shown.

use flag_model::Timestamp;
use maud::{Markup, html};

use super::ChangePage;
use crate::dashboard::pages::timeline::{RevisionNumbers, entry};
use crate::dashboard::parts::shown;

impl ChangePage<'_> {
    /// The revisions made since the one on which a form was shown; nothing if there are none.
    pub(super) fn meanwhile(&self, base: Timestamp, numbers: &RevisionNumbers) -> Markup {
        if self.state.newest_created() == Some(base) {
            return html! {};
        }
        html! {
            section.meanwhile aria-labelledby="meanwhile" {
                h2 id="meanwhile" tabindex="-1" autofocus { "The flag has changed meanwhile" }
                p.problem role="alert" {
                    "Nothing of yours was written. The form below is made anew, on the flag as it is now: look at what it does, \
                    and confirm it again if you still want it."
                }
                ol.timeline {
                    @for pair in self.state.since(base) {
                        li { @match pair {
                            [Ok(revision), rest @ ..] => (entry(&self.state.flag, revision, rest.first(), numbers, self.request)),
                            [Err(problem), ..] => { p.problem { "This revision cannot be read: " (shown(&problem.to_string())) } }
                            [] => {}
                        } }
                    }
                }
            }
        }
    }
}
