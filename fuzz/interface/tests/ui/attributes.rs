#[tandem::interface(reference = A::new, no_test)]
#[r#gen(u16 = small)]
#[r#gen(u8 = small)]
#[r#gen(u8 = small)]
#[compare(String = same)]
trait Unused {
    fn get(&self, key: u8) -> u8;
}

#[tandem::interface(reference = A::new, no_test)]
#[r#gen(u16 = small)]
#[compare(String = same)]
trait NotThere {
    fn get(&self, key: u8) -> u8;
}

#[tandem::interface(reference = A::new, no_test)]
#[r#gen(u8)]
#[invariant(self.get(1) ==)]
trait Malformed {
    fn get(&self, key: u8) -> u8;
}

#[tandem::interface(reference = A::new, no_test)]
#[r#gen(u8 = small, seed = u8)]
trait NoState {
    fn get(&self, key: u8) -> u8;
}

struct A;

fn main() {}
