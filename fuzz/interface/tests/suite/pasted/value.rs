{
let mut reference = Model::new(101);
let mut test = make_test(101);
let _ = Bag::put(&mut reference, 2);
let _ = Bag::put(&mut test, 2);
let _ = Bag::put(&mut reference, 2);
let _ = Bag::put(&mut test, 2);
tandem::assert_agree!(Bag::put(&mut reference, 2), Bag::put(&mut test, 2), code);
}
