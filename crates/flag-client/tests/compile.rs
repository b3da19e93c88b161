//! Mistakes that the compiler finds.

#[test]
fn a_wrong_type_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/mistakes/*.rs");
}
