/**
 * `verify.py` of an evidence bundle: it checks the bundle with Python's standard library and the `openssl` command. It shares no code with Sluice,
 * so it is text here, and must stay short enough to be read before it is trusted.
 */
export const SCRIPT = String.raw`#!/usr/bin/env python3
"""Checks an evidence bundle of decision records. Needs Python 3.8 and the command openssl (1.1.1 or newer), and nothing of Sluice.

    python3 verify.py [--key NAME+ID+BASE64] [--list] [DIRECTORY]

--key   the public key of the log, as its owner publishes it. Without it the key in the bundle is used, and whoever made the bundle chose that one.
--list  print one line for each decision.
Exit code: 0 the bundle holds, 1 it does not, 2 it could not be checked.
"""
import base64, hashlib, json, os, re, subprocess, sys, tempfile, time

LINE = re.compile(rb'(\{.*?"v":2),"hash":"([0-9a-f]{64})",("payload":.*\})', re.S)
OLD_LINE = re.compile(rb'(\{.*),"hash":"([0-9a-f]{64})"\}', re.S)  # version 1: the whole record, with its hash at the end
SIGNS, COSIGNS = b"\x01", b"\x04"  # types of keys, https://c2sp.org/signed-note

class Bad(Exception):
    pass

def need(condition, why):
    if not condition:
        raise Bad(why)

def sha256(data):
    return hashlib.sha256(data).digest()

def unbase64(text):
    data = base64.b64decode(text, validate=True)
    need(base64.b64encode(data).decode() == text, "a text in base64 is not the only spelling of its bytes")
    return data

def members(pairs):
    need(len({name for name, _ in pairs}) == len(pairs), "an object has a member twice")
    return dict(pairs)

def parse(data):
    return json.loads(data, object_pairs_hook=members)

def ed25519(public, message, signature):
    with tempfile.TemporaryDirectory() as folder:
        files = [os.path.join(folder, name) for name in ("key.der", "message", "signature")]
        # an Ed25519 key is these twelve bytes and the 32 of the key (RFC 8410)
        for file, data in zip(files, (bytes.fromhex("302a300506032b6570032100") + public, message, signature)):
            with open(file, "wb") as f:
                f.write(data)
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", files[0], "-rawin", "-in", files[1], "-sigfile", files[2]]
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

def read_key(text):
    name, key_id, key = text.strip().split("+", 2)
    key = unbase64(key)
    need(len(key) == 33 and sha256(name.encode() + b"\n" + key)[:4].hex() == key_id, "a key cannot be read: " + name)
    return name, key[:1], key[1:]

def signed_by(note, name, kind, public):
    """The text of a signed note, and the time of a cosignature; None: this key has not signed it."""
    text, _, lines = note.rpartition(b"\n\n")
    text += b"\n"
    key_id = sha256(name.encode() + b"\n" + kind + public)[:4]
    for line in lines.decode().strip("\n").split("\n"):
        dash, signer, signature = line.split(" ")
        signature = unbase64(signature)
        if dash != "\u2014" or signer != name or signature[:4] != key_id:
            continue
        if kind == SIGNS:
            need(ed25519(public, text, signature[4:]), "the signature of " + name + " is wrong")
            return text, None
        seconds = int.from_bytes(signature[4:12], "big")
        cosigned = b"cosignature/v1\ntime %d\n" % seconds + text
        need(ed25519(public, cosigned, signature[12:]), "the cosignature of " + name + " is wrong")
        return text, seconds
    return None

def root_of(leaf, index, size, path):
    """RFC 9162, section 2.1.3.2"""
    need(0 <= index < size, "a proof is for no record of the log")
    node, last, value = index, size - 1, leaf
    for sibling in path:
        need(last > 0, "a proof is too long")
        if node % 2 == 1 or node == last:
            value = sha256(b"\x01" + sibling + value)
            while node % 2 == 0 and node != 0:
                node, last = node // 2, last // 2
        else:
            value = sha256(b"\x01" + value + sibling)
        node, last = node // 2, last // 2
    need(last == 0, "a proof is too short")
    return value

def read_line(line):
    """origin, seq, hash, kind of a shared document, commitment, payload"""
    match = LINE.fullmatch(line)
    old = None if match else OLD_LINE.fullmatch(line)
    need(match or old, "it is not a line of a journal")
    head = (match or old)[1] + b"}"
    digest = sha256(head)
    need(digest.hex() == (match or old)[2].decode(), "its hash is not that of its content")
    head = parse(head)
    if old:
        return head["origin"], head["seq"], digest, None, None, head
    commitment = sha256(b"{" + match[3]).hex()
    need(head["c"] == commitment, "its commitment is not that of its content")
    return head["o"], head["s"], digest, head.get("d"), commitment, parse(b"{" + match[3])["payload"]

def content(payload, documents):
    """The record, with the shared documents that it refers to by their commitments."""
    def document(kind, commitment):
        need(commitment in documents and documents[commitment][0] == kind, "a shared document is missing: " + str(commitment))
        documents[commitment][2] = True
        return documents[commitment][1]
    if "access" not in payload:
        return payload.get("record", payload)
    record = dict(document("access", payload["access"]), **payload)
    record["subject"] = document("subject", payload["subject"]) if "subject" in payload else None
    if "fields" in payload:
        record["fields"] = [document("fields", payload["fields"][0])] + payload["fields"][1:]
    record["answers"] = [dict(document("answer", a[0]), count=a[1]) for a in payload.get("answers", [])]
    return record

def check_files(read, folder, public):
    manifest = parse(read("manifest.json"))
    need(manifest["format"] == "sluice-evidence-bundle/1", "this script does not know the format of the bundle")
    signed = signed_by(read("manifest.note"), manifest["name"], SIGNS, public)
    need(signed is not None, "the manifest is not signed with the key")
    text = "sluice-evidence-bundle/1\n%s\n" % sha256(read("manifest.json")).hex()
    need(signed[0] == text.encode(), "the manifest was changed after it was signed")
    there = {os.path.relpath(os.path.join(at, name), folder).replace(os.sep, "/") for at, _, names in os.walk(folder) for name in names}
    listed = {file["path"]: file["sha256"] for file in manifest["files"]}
    need(there == set(listed) | {"manifest.json", "manifest.note"}, "files are missing or were added: " + ", ".join(sorted(there ^ (set(listed) | {"manifest.json", "manifest.note"}))))
    for path, digest in listed.items():
        need(sha256(read(path)).hex() == digest, path + " was changed")
    return manifest

def check_checkpoints(read, manifest, public, keys):
    logs = {}
    for file in manifest["files"]:
        if not file["path"].startswith("checkpoints/"):
            continue
        note = read(file["path"])
        log = note.split(b"\n", 1)[0].decode()
        signed = signed_by(note, log, SIGNS, public)
        need(signed is not None, "the checkpoint of " + log + " is not signed with the key")
        size, root = signed[0].decode().split("\n")[1:3]
        logs[log] = int(size), unbase64(root)
        print("checkpoint  %s: %s records" % (log, size))
        for name, kind, key in keys:
            found = kind == COSIGNS and signed_by(note, name, kind, key)
            if found:
                print("            cosigned by %s at %s UTC" % (name, time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(found[1]))))
    return logs

def check_records(read, manifest, logs, show):
    documents, seen, parts = {}, set(), {}
    proofs = iter(read("proofs.ndjson").split(b"\n")[:-1])
    for number, line in enumerate(read("records.ndjson").split(b"\n")[:-1], 1):
        try:
            origin, seq, digest, kind, commitment, payload = read_line(line)
            if kind is not None:
                need(commitment not in documents, "the shared document is there twice")
                documents[commitment] = [kind, payload, False]
                continue
            record = content(payload, documents)
            need((origin, seq) not in seen, "the record is there twice")
            seen.add((origin, seq))
            proof = parse(next(proofs, b"null"))
            need(proof and proof["origin"] == origin and proof["seq"] == seq, "its proof is missing")
            log = manifest["name"] + "/" + origin
            need(log in logs, "there is no checkpoint of its log")
            size, root = logs[log]
            path = [unbase64(h) for h in proof["path"]]
            need(root_of(sha256(b"\x00" + digest), seq - 1, size, path) == root, "the tree of the checkpoint does not have it")
        except Bad as why:
            raise Bad("records.ndjson, line %d: %s" % (number, why))
        part = record.get("part", {"number": 1, "last": True})
        of = parts.setdefault(record["decision_id"], [])
        if show and not of:
            who = (record["subject"] or {}).get("id", "-")
            print(" ".join(str(x) for x in (record["timestamp"], record["decision_id"], record["outcome"], who, record["action"], record["purpose"])))
        of.append((part["number"], part.get("piece", 1), part.get("pieces", 1)))
    need(next(proofs, None) is None, "there are more proofs than records")
    for decision, of in parts.items():
        number, piece = 1, 1
        for found in sorted(of):
            need(found[:2] == (number, piece), "a part of the decision %s is missing" % decision)
            number, piece = (number, piece + 1) if piece < found[2] else (number + 1, 1)
        need(piece == 1, "a part of the decision %s is missing" % decision)
    need(all(used for _, _, used in documents.values()), "there is a shared document that no record refers to")
    need(manifest["records"] == len(seen) and manifest["decisions"] == len(parts), "the manifest counts other records")
    print("records     %d of %d decisions: every hash, commitment and proof fits" % (len(seen), len(parts)))

def main():
    arguments = sys.argv[1:]
    show = "--list" in arguments
    given = arguments.pop(arguments.index("--key") + 1) if "--key" in arguments else None
    folder = next((a for a in arguments if not a.startswith("--")), os.path.dirname(os.path.abspath(__file__)))
    def read(path):
        with open(os.path.join(folder, path), "rb") as file:
            return file.read()
    try:
        keys = [read_key(line) for line in read("keys.txt").decode().strip("\n").split("\n")]
        public = read_key(given)[2] if given else keys[0][2]
        manifest = check_files(read, folder, public)
        print("manifest    %d files: none was changed, added or removed" % len(manifest["files"]))
        check_records(read, manifest, check_checkpoints(read, manifest, public, keys), show)
    except FileNotFoundError as missing:
        if missing.filename == "openssl":
            print("The command openssl is not on this machine.")
            sys.exit(2)
        print("THE BUNDLE DOES NOT HOLD: %s is missing" % missing.filename)
        sys.exit(1)
    except Exception as why:  # whatever cannot be read was not written by Sluice
        print("THE BUNDLE DOES NOT HOLD: %s" % (why or type(why).__name__))
        sys.exit(1)
    print("exported    %s by %s, filter %s" % (manifest["at"], manifest["by"], json.dumps(manifest["filter"], ensure_ascii=False)))
    for removal in manifest.get("removals", []):
        print("removed     %s by %s: content of %d records of the log, which the bundle is without; basis: %s" % (json.dumps(removal["at"]), json.dumps(removal["by"]), removal["records"], json.dumps(removal["basis"])))
    print("The bundle holds: these records are in the log that the key has signed, and none was changed.")
    if not given:
        print("NOT CHECKED: whose key it is. Compare it with the one that the owner of the log publishes (--key):\n  " + read("keys.txt").decode().split("\n")[0])
    print("NOT SHOWN: that no other decision fits the filter. Only the whole journal shows that.")

main()
`;
