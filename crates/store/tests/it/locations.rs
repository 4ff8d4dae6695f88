//! What a configuration may say of the place of objects.

use std::path::PathBuf;

use calotype_store::objects::{Location, NotALocation, S3Key, S3Location, S3Settings};

const ENDPOINT: NotALocation =
    NotALocation::Value("endpoint", "an address such as http://127.0.0.1:3900 or https://host");

fn settings() -> S3Settings {
    let key = S3Key { id: "id".to_owned(), secret: "the-secret".to_owned() };
    S3Settings { key: Some(key), ..S3Settings::default() }
}

fn s3(text: &str) -> S3Location {
    match Location::parse(text, &settings()) {
        Ok(Location::S3(location)) => *location,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn a_location_is_a_folder_or_memory() {
    for (text, location) in [
        ("memory:", Ok(Location::Memory)),
        ("file:/var/lib", Ok(Location::File(PathBuf::from("/var/lib")))),
        ("file:a:b", Ok(Location::File(PathBuf::from("a:b")))),
        ("file:", Err(NotALocation::Form)),
        ("memory:x", Err(NotALocation::Form)),
        ("memory", Err(NotALocation::Form)),
        ("FILE:/x", Err(NotALocation::Form)),
        ("", Err(NotALocation::Form)),
    ] {
        assert_eq!(Location::parse(text, &S3Settings::default()), location, "{text}");
    }
}

#[test]
fn a_location_is_a_bucket_or_a_part_of_one() {
    let plain = s3("s3://images-hz?endpoint=http://127.0.0.1:3900");
    assert_eq!((plain.bucket.as_str(), plain.prefix.as_str()), ("images-hz", ""));
    assert_eq!((plain.url.as_str(), plain.region.as_str()), ("http://127.0.0.1:3900/images-hz", "us-east-1"));
    for (text, prefix, url, region) in [
        ("s3://abc/x/y/?endpoint=https%3A%2F%2Fs3.example%2F", "x/y", "https://s3.example/abc", "us-east-1"),
        ("s3://abc?style=virtual&endpoint=https://h:9", "", "https://abc.h:9", "us-east-1"),
        ("s3://abc?style=path&region=garage&endpoint=https://h", "", "https://h/abc", "garage"),
        ("s3://abc?region=eu-west-1", "", "https://s3.eu-west-1.amazonaws.com/abc", "eu-west-1"),
    ] {
        let location = s3(text);
        let found = (location.prefix.as_str(), location.url.as_str(), location.region.as_str());
        assert_eq!(found, (prefix, url, region), "{text}");
    }
}

#[test]
fn what_a_location_cannot_be_is_said() {
    let parameter = |name: &str| NotALocation::Parameter(name.to_owned());
    for (text, error) in [
        ("s3:x", NotALocation::Form),
        ("s3://", NotALocation::Form),
        ("s3://ab", NotALocation::Form),
        ("s3://a%2e/b", NotALocation::Form),
        ("s3://abc/x//y", NotALocation::Form),
        ("s3://abc/../y", NotALocation::Form),
        ("s3://abc?endpont=http://h", parameter("endpont")),
        ("s3://abc?access_key_secret=x", parameter("access_key_secret")),
        ("s3://abc?region=a&region=b", parameter("region")),
        ("s3://abc?style=hosted", NotALocation::Value("style", "path or virtual")),
        ("s3://abc?region=", NotALocation::Value("region", "letters, digits, - and _")),
        ("s3://abc?endpoint=h:9", ENDPOINT),
        ("s3://abc?endpoint=ftp://h", ENDPOINT),
        ("s3://abc?endpoint=http://id:secret@h", ENDPOINT),
        ("s3://abc?endpoint=http://h/path", ENDPOINT),
    ] {
        assert_eq!(Location::parse(text, &settings()), Err(error), "{text}");
    }
    assert_eq!(Location::parse("s3://abc", &S3Settings::default()), Err(NotALocation::NoKey));
}

#[test]
fn nothing_shows_the_secret() {
    let location = Location::parse("s3://abc/x", &settings()).unwrap();
    let shown = format!("{location:?} {:?}", settings());
    assert!(shown.contains("s3://abc/x") && !shown.contains("the-secret"), "{shown}");
}
