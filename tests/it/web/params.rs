//! Queries, forms and parts of paths. The crate form_urlencoded reads them: what is ours is where, how many, and who is told.

use edgeloop::web::{self, Refusal};
use edgeloop::{Reply, Request, ResponseWriter};

use super::{ask, of_head, seen};

#[test]
fn a_query_has_names_and_values() {
    of_head("GET /?a=1&b=&c&a=2&%64=%C3%A9+x&=y", &[], |head| {
        let query = web::query(head);
        let all: Vec<(String, String)> = query
            .iter()
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        let expected = [
            ("a", "1"),
            ("b", ""),
            ("c", ""),
            ("a", "2"),
            ("d", "é x"),
            ("", "y"),
        ];
        assert!(
            all.iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .eq(expected)
        );
        assert_eq!(query.get("a").as_deref(), Some("1"));
        assert!(query.get_all("a").eq(["1", "2"]));
        assert_eq!(query.get("e"), None);
    });
    of_head("GET /", &[], |head| {
        assert_eq!(web::query(head).iter().count(), 0);
    });
    of_head("GET /?%FF=%ff", &[], |head| {
        assert_eq!(
            web::query(head).get("\u{fffd}").as_deref(),
            Some("\u{fffd}")
        );
    });
}

#[test]
fn what_is_built_by_form_urlencoded_comes_back() {
    let pairs = [("a b", "c&d=e"), ("é", "+%"), ("", ""), ("\r\n", "\0")];
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    of_head(&format!("GET /?{query}"), &[], |head| {
        let read: Vec<_> = web::query(head).iter().collect();
        assert!(
            read.iter()
                .map(|(name, value)| (&**name, &**value))
                .eq(pairs)
        );
    });
}

#[test]
fn a_parameter_is_parsed_or_the_client_is_told_which_one_is_wrong() {
    of_head("GET /?page=7&size=x&empty=&neg=-1", &[], |head| {
        let query = web::query(head);
        assert_eq!(query.parse::<u64>("page"), Ok(7));
        assert_eq!(query.parse_if_any::<u64>("none"), Ok(None));
        assert_eq!(query.parse_if_any::<u64>("page"), Ok(Some(7)));
        assert_eq!(query.parse::<i8>("neg"), Ok(-1));
        for (name, why) in [
            ("none", "`none` is missing in the query"),
            (
                "size",
                "`size` in the query is `x`: invalid digit found in string",
            ),
            (
                "empty",
                "`empty` in the query is ``: cannot parse integer from empty string",
            ),
            (
                "neg",
                "`neg` in the query is `-1`: invalid digit found in string",
            ),
        ] {
            let refusal = query.parse::<u64>(name).expect_err(name);
            assert_eq!((refusal.status(), refusal.to_string().as_str()), (400, why));
        }
        assert!(query.parse_if_any::<u64>("size").is_err());
    });
    let long = format!("GET /?a={}", "x".repeat(4000));
    of_head(&long, &[], |head| {
        let refusal = web::query(head).parse::<u64>("a").expect_err("no number");
        assert!(refusal.to_string().len() < 200, "{refusal}");
    });
}

#[test]
fn a_part_of_a_path_is_decoded_and_parsed() {
    assert_eq!(web::path_value::<u64>("id", "42"), Ok(42));
    assert_eq!(web::path_value::<u64>("id", "%34%32"), Ok(42));
    assert_eq!(
        web::path_value::<String>("id", "a%2Fb+c").as_deref(),
        Ok("a/b+c")
    );
    let told = |text| {
        web::path_value::<u8>("id", text)
            .expect_err(text)
            .to_string()
    };
    assert_eq!(
        told("x"),
        "`id` in the path is `x`: invalid digit found in string"
    );
    assert_eq!(
        told("256"),
        "`id` in the path is `256`: number too large to fit in target type"
    );
    assert_eq!(told("%FF"), "`id` in the path is not UTF-8");
    assert_eq!(web::percent_decode("%C3%A9%zz+").as_deref(), Some("é%zz+"));
    assert_eq!(web::percent_decode("%C3"), None);
}

fn form(fields: &[&str], body: &str) -> String {
    seen("POST /", fields, body.as_bytes(), |req| {
        match web::form(req) {
            Ok(form) => {
                let names = form.iter().map(|(name, value)| format!("{name}={value};"));
                names.collect()
            }
            Err(refusal) => format!("{} {refusal}", refusal.status()),
        }
    })
}

#[test]
fn a_form_has_names_and_values_if_it_is_one() {
    const TYPE: &str = "Content-Type: application/x-www-form-urlencoded";
    assert_eq!(form(&[TYPE], "a=1&b=x+y%21"), "a=1;b=x y!;");
    assert_eq!(form(&[&TYPE.to_uppercase()], "a"), "a=;");
    assert_eq!(form(&[&format!("{TYPE} ; charset=utf-8")], "a"), "a=;");
    assert_eq!(form(&[TYPE], ""), "");
    let refused = "415 the body is to be application/x-www-form-urlencoded";
    assert_eq!(form(&[], "a=1"), refused);
    assert_eq!(form(&["Content-Type: text/plain"], "a=1"), refused);
    assert_eq!(form(&[TYPE, "Content-Type: text/plain"], "a=1"), refused);
}

#[test]
fn a_refusal_is_a_status_and_a_sentence_that_is_no_page() {
    let handler = |_: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
        Refusal::bad_request("`<b>` is wrong").answer(res)
    };
    let answer = ask(handler, "GET /", &[], b"");
    assert_eq!((answer.status, answer.text()), (400, "`<b>` is wrong\n"));
    assert_eq!(
        answer.field("Content-Type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(answer.field("X-Content-Type-Options"), Some("nosniff"));
}
