{
let mut reference = Model::new(0);
let mut test = make_test(0);
tandem::assert_agree!(Bag::put(&mut reference, 12), Bag::put(&mut test, 12), code);
}
