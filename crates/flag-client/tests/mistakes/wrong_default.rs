// error[E0308]: mismatched types
// expected `bool`, found `&str`
flag_client::flags! {
    pub BETA_SEARCH: bool = "on", name = "beta_search", ticket = "https://tickets.example/1";
}

fn main() {}
