// error[E0308]: mismatched types
// expected `bool`, found `FlagFuture<bool>`
flag_client::flags! {
    pub BETA_SEARCH: bool = false, name = "beta_search", ticket = "https://tickets.example/1";
}

fn main() {
    let client = flag_client::AsyncFeatureFlagClient::new("csr-assistant");
    if BETA_SEARCH.get(&client, "A12345") {}
}
