#[tandem::interface(reference = A::new, no_test)]
trait Methods {
    fn new() -> u8;
    fn consume(self);
    fn boxed(self: Box<Self>);
    async fn wait(&self);
    unsafe fn dangerous(&self);
    fn generic<T: Copy>(&self, value: T);
    fn anything(&self, value: impl Copy);
    fn something(&self) -> impl Copy;
    fn fill(&self, out: &mut Vec<u8>);
    fn like(&self, other: &Self) -> bool;
    fn copy(&self) -> Box<Self>;
    #[cfg(test)]
    fn sometimes(&self);
    #[skip(now)]
    fn skipped(&self);
}

#[tandem::interface(reference = A::new, no_test)]
unsafe trait Unsafe {
    fn get(&self) -> u8;
}

#[tandem::interface(reference = A::new, no_test)]
trait Nothing {
    #[skip]
    fn get(&self) -> u8;
}

#[tandem::interface(reference = A::new, no_test)]
trait Borrowed<'a> {
    fn get(&self) -> &'a u8;
}

#[tandem::interface(reference = A::new, test = A::new)]
trait Generic<T> {
    fn get(&self) -> T;
}

#[tandem::interface(reference = A::new, test = A::new, types = (u8, u16))]
trait TooMany<T> {
    fn get(&self) -> T;
}

#[tandem::interface(reference = A::new, no_test, types = (u8))]
trait NoTest<T> {
    fn get(&self) -> T;
}

struct A;

fn main() {}
