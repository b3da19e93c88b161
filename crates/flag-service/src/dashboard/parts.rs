//! What several pages have.
mod bar;
mod chart;
mod difference;
mod frame;
mod live;
mod pager;
mod text;

pub(super) use self::bar::{bucket_line, colour, legend, split_bar};
pub(super) use self::chart::{Bin, Chart, Mark};
pub(super) use self::difference::difference_table;
pub(super) use self::frame::{Crumb, Frame, environment_mark};
pub(super) use self::live::{again_and_again, each_minute, follows};
pub(super) use self::pager::Pager;
pub(super) use self::text::{
    ago, capitalised, command, copy_button, kept_fields, lines, pluralized, shown, thousands, time,
    time_ago, time_text,
};
