{
    let mut reference = BTreeMap::new();
    let mut test = open();
    let _ = Store::put(&mut reference, 0, "");
    let _ = Store::put(&mut test, 0, "");
    tandem::assert_agree!(Store::cut(&mut reference, 0), Store::cut(&mut test, 0));
}
