//! Who asks and who updates.

use super::daemon::{ALICE, KEY, plan, port, say};
use super::sample::{Plan, Sandbox};

#[test]
#[ignore = "needs dig and kdig"]
fn dig_and_kdig_find_a_box() {
    let sandbox = Sandbox::start(|| plan(vec![], 0));
    let port = port(&sandbox);
    for program in ["dig", "kdig"] {
        for transport in ["+notcp", "+tcp"] {
            let ask = |words: &[&str]| {
                say(&[&[program, "@127.0.0.1", "-p", &port, "+norec", transport], words].concat(), "")
            };
            let short = |name: &str, rtype: &str| ask(&["+short", name, rtype]).trim().to_owned();
            assert_eq!(short("alice.box.test", "A"), "203.0.113.5");
            assert_eq!(short("ALICE.box.test", "AAAA"), "2001:db8::5");
            assert_eq!(short("alice.box.test", "HTTPS").replace("\"", ""), "1 . port=8443");
            assert_eq!(short("_stbcast._tcp.alice.box.test", "SRV"), "0 0 8443 alice.box.test.");
            assert_eq!(short("box.test", "CAA"), "0 issue \"ca.example\"");
            assert_eq!(short("alice.box.test", "ANY").replace('"', "").trim(), "RFC8482");
            let nobody = ask(&["nobody.box.test", "A"]);
            assert!(nobody.contains("NXDOMAIN") && nobody.contains("SOA"), "{nobody}");
            let off = ask(&["bob.box.test", "A"]);
            assert!(off.contains("NOERROR") && off.contains("SOA"), "{off}");
            let signed = ask(&["-y", KEY, "box.test", "SOA"]);
            assert!(signed.contains("NOERROR") && signed.contains("ns1.box.test."), "{signed}");
            assert!(
                !signed.contains("rong") && !signed.contains("WARNING") && !signed.contains("ouldn't"),
                "{signed}"
            );
            for wrong in ["+ednsopt=65001:00", "+bufsize=512"] {
                assert!(ask(&[wrong, "alice.box.test", "A"]).contains("203.0.113.5"));
            }
        }
    }
    let dig = |words: &[&str]| say(&[&["dig", "@127.0.0.1", "-p", &port], words].concat(), "");
    assert!(dig(&["+edns=1", "+noednsnegotiation", "alice.box.test"]).contains("BADVERS"));
    assert!(dig(&["+opcode=status", "alice.box.test"]).contains("NOTIMP"));
    assert!(dig(&["example.org"]).contains("REFUSED"));
    assert!(dig(&["-c", "CH", "version.bind", "TXT"]).contains("REFUSED"));
    assert!(dig(&["box.test", "AXFR"]).contains("Transfer failed"));
    let axfr = dig(&["-y", KEY, "box.test", "AXFR"]);
    assert!(axfr.contains("XFR size: 10 records"), "{axfr}");
    let kdig = say(&["kdig", "@127.0.0.1", "-p", &port, "-y", KEY, "box.test", "AXFR"], "");
    assert!(kdig.contains("(1 messages, 10 records)"), "{kdig}");
}

#[test]
#[ignore = "needs nsupdate and knsupdate"]
fn nsupdate_and_knsupdate_change_their_own_name() {
    let sandbox = Sandbox::start(|| plan(vec![], 0));
    let port = port(&sandbox);
    let short = |name: &str, rtype: &str| {
        say(&["dig", "@127.0.0.1", "-p", &port, "+short", name, rtype], "").trim().to_owned()
    };
    for (i, program) in ["nsupdate", "knsupdate"].iter().enumerate() {
        for (j, transport) in [&[][..], &["-v"]].into_iter().enumerate() {
            let update = |key: &str, lines: &str| {
                let words = [&[*program, "-y", key], transport].concat();
                say(&words, &format!("server 127.0.0.1 {port}\nzone box.test.\n{lines}\nsend\nquit\n"))
            };
            let v4 = format!("203.0.113.{}", 20 + 2 * i + j);
            let said = update(
                ALICE,
                &format!("update delete alice.box.test. A\nupdate add alice.box.test. 60 A {v4}"),
            );
            assert_eq!((said.trim(), short("alice.box.test", "A")), ("", v4));
            let said = update(
                ALICE,
                "prereq yxrrset alice.box.test. A\nupdate add _acme-challenge.alice.box.test. 60 TXT \"token\"",
            );
            assert_eq!(
                (said.trim(), short("_acme-challenge.alice.box.test", "TXT")),
                ("", "\"token\"".into())
            );
            update(ALICE, "update delete _acme-challenge.alice.box.test. TXT");
            assert_eq!(short("_acme-challenge.alice.box.test", "TXT"), "");
            let said = update(ALICE, "prereq nxrrset alice.box.test. A\nupdate delete alice.box.test. A");
            assert!(said.contains("YXRRSET"), "{said}");
            let said = update(ALICE, "update add bob.box.test. 60 A 203.0.113.66");
            assert!(said.contains("REFUSED"), "{said}");
            let said = update(ALICE, "update add box.test. 60 A 203.0.113.66");
            assert!(said.contains("REFUSED"), "{said}");
            let said = update(&ALICE.replace("Bwc=", "Bwg="), "update delete alice.box.test. A");
            assert!(said.contains("BADSIG"), "{said}");
            let said = update(&ALICE.replace("alice", "bob"), "update delete bob.box.test. A");
            assert!(said.contains("BADKEY"), "{said}");
            let said = update(KEY, "update delete alice.box.test. A");
            assert!(said.contains("REFUSED"), "{said}");
        }
    }
}

#[test]
#[ignore = "needs dig, kdig and nsupdate"]
fn a_clock_that_is_wrong_is_told_so_that_they_believe_it() {
    let sandbox = Sandbox::start(|| Plan { clock_error: 3600, ..plan(vec![], 0) });
    let port = port(&sandbox);
    let dig = say(&["dig", "@127.0.0.1", "-p", &port, "-y", KEY, "box.test", "SOA"], "");
    assert!(dig.contains("BADTIME") && dig.contains("clocks are unsynchronized"), "{dig}");
    let kdig = say(&["kdig", "@127.0.0.1", "-p", &port, "-y", KEY, "box.test", "SOA"], "");
    assert!(kdig.contains("BADTIME") && !kdig.contains("BADSIG"), "{kdig}");
    let input = format!("server 127.0.0.1 {port}\nzone box.test.\nupdate delete alice.box.test. A\nsend\n");
    let nsupdate = say(&["nsupdate", "-y", ALICE], &input);
    assert!(nsupdate.contains("clocks are unsynchronized") || nsupdate.contains("BADTIME"), "{nsupdate}");
}
