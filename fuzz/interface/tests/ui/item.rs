#[tandem::interface(reference = A::new(), no_test)]
struct A;

fn main() {}
