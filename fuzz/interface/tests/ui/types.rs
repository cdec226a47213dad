#[derive(Debug, Clone)]
struct Key(u8);

struct Page;

#[derive(Debug)]
struct Odd;

#[tandem::interface(reference = Model::new, test = Model::new, error = code)]
#[invariant(self.size())]
#[r#gen(u16 = wrong)]
trait Store {
    fn get(&self, key: Key);
    fn page(&self) -> Page;
    fn fails(&self) -> Result<(), Odd>;
    fn size(&self) -> usize;
    fn small(&self, number: u16);
}

fn wrong(_: &mut tandem::interfaces::Unstructured<'_>) -> u16 {
    7
}

struct Model;

impl Model {
    fn new() -> Self {
        Self
    }
}

impl Store for Model {
    fn get(&self, _: Key) {}
    fn page(&self) -> Page {
        Page
    }
    fn fails(&self) -> Result<(), Odd> {
        Err(Odd)
    }
    fn size(&self) -> usize {
        0
    }
    fn small(&self, _: u16) {}
}

fn main() {}
