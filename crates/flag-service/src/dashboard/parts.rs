//! What several pages have.
mod bar;
mod chart;
mod frame;
mod text;

pub(super) use self::bar::{bucket_line, colour, legend, split_bar};
pub(super) use self::chart::{Bin, Chart, Mark};
pub(super) use self::frame::{Crumb, Frame};
pub(super) use self::text::{
    command, copy_button, counted, lines, shown, thousands, time, time_ago,
};
