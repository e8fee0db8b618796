# shellcheck shell=bash disable=SC2154,SC2016 # `run` sets what is used here; some of it is for other shells
# The bill of materials and the licence texts.

# valid_bill FILE: it is what the schema of CycloneDX 1.5 says, each part once.
valid_bill() {
  "$TOOLS/bin/python" - "$1" <<'EOF'
import json, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

text = open(sys.argv[1]).read()
wrong = JsonStrictValidator(SchemaVersion.V1_5).validate_str(text)
assert wrong is None, wrong
bill = json.loads(text)
assert bill["specVersion"] == "1.5" and bill["bomFormat"] == "CycloneDX", bill
refs = [part["bom-ref"] for part in bill["components"]]
assert len(refs) == len(set(refs)), refs
EOF
}

test_the_bill_is_valid_and_complete() {
  local place parts
  place=$(packed host)
  valid_bill "$place/sbom.cdx.json"
  # What cargo links in, and nothing of its tests, its build or the other programs.
  parts=$(cd "$root" && cargo tree --offline --locked --no-default-features \
    --features "$(scripts/board show host | sed -n 's/^features=//p')" \
    --edges normal,no-proc-macro --target x86_64-unknown-linux-gnu --prefix none --format '{p}' \
    | sed -nE 's/^([^ ]+) v([^ ]+).*/pkg:cargo\/\1@\2/p' | grep -v '/stbcast@' | sort -u)
  [ "$(wc -l <<<"$parts")" -gt 80 ] || fail "cargo tree found $parts"
  same "crates" "$(grep -o '"purl": "pkg:cargo/[^"]*' "$place/sbom.cdx.json" | cut -c10- | grep -v '/stbcast@' \
    | grep -vxFf <(std_parts "$place") | sort -u)" "$parts"
  ! grep -E 'proptest|rcgen|tokio|zopfli|serde_derive' "$place/sbom.cdx.json" || fail "these are not in the firmware"
  says "$(cat "$place/sbom.cdx.json")" "$(sha256sum <"$program" | cut -c1-64)" '"rust-std"'
}

# Crates that Rust's own library has brought, where its source was there to tell.
std_parts() {
  local library
  library=$(rustc --print sysroot)/lib/rustlib/src/rust/library
  echo nothing
  [ ! -d "$library/vendor" ] || for crate in "$library"/vendor/*; do
    basename "$crate" | sed -E 's|^(.*)-([0-9]+\..*)$|pkg:cargo/\1@\2|'
  done
  echo 'pkg:cargo/std_detect@0.1.5'
}

test_each_part_has_a_licence_text() {
  local place part
  place=$(packed host)
  grep -oE '"purl": "pkg:[^"]*' "$place/sbom.cdx.json" | sed -E 's|.*"pkg:[^/]*/||;s|@([^@]*)$| \1|;s|%40|@|;s|%2B|+|' | while read -r part; do
    grep -qE "^  $part: ." "$place/licences.txt" || fail "$part is not listed"
    grep -qE "(^|, )$part(, .*)?:\$" "$place/licences.txt" || fail "$part has no text"
  done
  says "$(cat "$place/licences.txt")" "Permission is hereby granted" "Project Nayuki" "NLnet Labs" "TERMS AND CONDITIONS"
  cmp <(tar -xzOf "$place"/*.tar.gz usr/share/doc/stbcast/copyright) "$place/licences.txt"
}

# A crate without a text stops the packing and is named, also by where to look.
test_a_crate_without_a_licence_text_is_named() {
  local out=$work/textless said file=$copy/scripts/packaging/licences.py
  mkdir -p "$out"
  cp "$program" "$out/stbcastd"
  cp "$file" "$work/licences.py"
  sed -i '/"dvb-si"/d' "$file"
  if said=$("$copy/scripts/package" host "$out" 2>&1); then fail "it was packed"; fi
  cp "$work/licences.py" "$file"
  says "$said" "dvb-si 1" "no licence text" "ELSEWHERE"
}

# JavaScript that is in the program is in the bill: the web app's, and that of a directory that is named.
test_vendored_javascript_is_told() {
  local out=$work/vendored said place name
  place=$(packed host)
  for name in "$root"/src/web/vendor/*/package.json; do
    name=$(sed -n 's/.*"name": "\(.*\)",/\1/p' "$name")
    says "$(cat "$place/sbom.cdx.json")" "\"purl\": \"pkg:npm/${name/@/%40}@"
  done
  says "$(cat "$place/licences.txt")" "@noble/curves" "Paul Miller"
  mkdir -p "$out/js"
  cp "$program" "$out/stbcastd"
  echo '{"name": "@tv/player", "version": "1.2.3", "license": "MIT"}' >"$out/js/package.json"
  if said=$("$copy/scripts/package" host "$out" --vendored "$out/js" 2>&1); then fail "packed without its licence"; fi
  says "$said" "@tv/player 1.2.3" "no licence text"
  echo 'A licence of its own.' >"$out/js/LICENSE"
  "$copy/scripts/package" host "$out" --vendored "$out/js" >/dev/null
  says "$(cat "$out/packages/sbom.cdx.json")" '"purl": "pkg:npm/%40tv/player@1.2.3"'
  says "$(cat "$out/packages/licences.txt")" "@tv/player 1.2.3: MIT" "A licence of its own."
}
