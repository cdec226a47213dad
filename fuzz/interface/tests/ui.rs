//! Wrong use is a compile error at its place. The texts are those of the stable compiler that CI has.

#[test]
fn wrong_use_is_a_compile_error_at_its_place() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
