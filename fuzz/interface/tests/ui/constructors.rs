#[tandem::interface(reference = Model::new(String), test = make)]
trait Store {
    fn get(&self, key: u8) -> u8;
}

struct Model;

impl Model {
    fn new(_: u8) -> Self {
        Self
    }
}

fn make(_: u8) -> u16 {
    7
}

impl Store for Model {
    fn get(&self, _: u8) -> u8 {
        0
    }
}

fn main() {}
