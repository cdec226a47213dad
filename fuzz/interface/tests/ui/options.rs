#[tandem::interface(no_test)]
trait NoReference {
    fn get(&self) -> u8;
}

#[tandem::interface(reference = A::new)]
trait NoTest {
    fn get(&self) -> u8;
}

#[tandem::interface(reference = A::new, seed = 7, no_test)]
trait Unknown {
    fn get(&self) -> u8;
}

#[tandem::interface(reference = A::new, no_test, reference = A::new)]
trait Twice {
    fn get(&self) -> u8;
}

#[tandem::interface(reference = A::new, no_test, error = text)]
trait NoCode {
    fn get(&self) -> u8;
}

#[tandem::interface(reference = A::new(u8), test = A::new(u8))]
trait BothArguments {
    fn get(&self) -> u8;
}

#[tandem::interface(reference = A::new, test = A::new, invariant_only, error = code)]
trait ReferenceWithoutUse {
    fn get(&self) -> u8;
}

#[tandem::interface(test = A::new, invariant_only, error = code)]
#[compare(u8 = same)]
trait NoInvariant {
    fn get(&self) -> u8;
}

struct A;

fn main() {}
