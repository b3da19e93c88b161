// error[E0277]: a flag cannot hold `u32`
// expected `bool` or `String`
flag_client::flags! {
    pub SEARCH_DEPTH: u32 = 3, name = "search_depth", ticket = "https://tickets.example/1";
}

fn main() {}
