{
    let mut reference = first();
    let mut test = second();
    let _ = Words::add(&mut reference, "a");
    let _ = Words::add(&mut test, "a");
    let _ = Words::add(&mut reference, "");
    let _ = Words::add(&mut test, "");
    tandem::assert_agree!(Words::page(&reference, 2), Words::page(&test, 2), values = same);
}
