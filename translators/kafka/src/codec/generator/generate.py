#!/usr/bin/env python3
"""Writes the Rust messages in ../generated from Kafka's message descriptors.

The descriptors are the files common/message/*.json in three jars of one Kafka release:
kafka-clients, kafka-group-coordinator and kafka-transaction-coordinator.
conformance/peers/install gathers them with the rest of a broker.

Usage: generate.py --jars FOLDER [--check]

Finds the three jars in the folder and replaces the output. With --check it writes nothing and
fails, naming the files, when the committed output is not what it would write. Needs rustfmt.

A version that new descriptors bring fails a test until ../reviewed.tsv lists it: read what it
changes, and settle what the sessions do about it, before adding it there.
"""

import argparse
import filecmp
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
OUTPUT = HERE.parent / "generated"
ROOT = HERE.parents[4]

JARS = ["kafka-clients", "kafka-group-coordinator", "kafka-transaction-coordinator"]

# Spoken among brokers only, to the share coordinator; nothing outside Kafka calls them.
INTERNAL_KEYS = range(83, 88)

# Messages that are neither request nor response.
DATA = [
    "RequestHeader",
    "ResponseHeader",
    "ConsumerProtocolSubscription",
    "ConsumerProtocolAssignment",
    "ControlRecordTypeSchema",
    "EndTxnMarker",
    "LegacyOffsetCommitKey",
    "LegacyOffsetCommitValue",
    "OffsetCommitKey",
    "OffsetCommitValue",
    "GroupMetadataKey",
    "GroupMetadataValue",
    "ConsumerGroupMetadataKey",
    "ConsumerGroupMetadataValue",
    "ConsumerGroupMemberMetadataKey",
    "ConsumerGroupMemberMetadataValue",
    "ConsumerGroupTargetAssignmentMetadataKey",
    "ConsumerGroupTargetAssignmentMetadataValue",
    "ConsumerGroupTargetAssignmentMemberKey",
    "ConsumerGroupTargetAssignmentMemberValue",
    "ConsumerGroupCurrentMemberAssignmentKey",
    "ConsumerGroupCurrentMemberAssignmentValue",
    "ConsumerGroupRegularExpressionKey",
    "ConsumerGroupRegularExpressionValue",
    "TransactionLogKey",
    "TransactionLogValue",
]

# What a Kafka type is in Rust, and the fewest bytes it takes in a version that is not flexible and
# in one that is.
SCALARS = {
    "bool": ("bool", 1, 1),
    "int8": ("i8", 1, 1),
    "int16": ("i16", 2, 2),
    "uint16": ("u16", 2, 2),
    "int32": ("i32", 4, 4),
    "int64": ("i64", 8, 8),
    "float64": ("f64", 8, 8),
    "uuid": ("Uuid", 16, 16),
    "string": ("Str", 2, 1),
    "bytes": ("Bytes", 4, 1),
    "records": ("Bytes", 4, 1),
}

NOTICE = "Written by `generator/generate.py`; do not edit."


def fail(message):
    sys.exit(f"generate.py: {message}")


class Versions:
    """An inclusive range of versions; `last` is None for an open end, `first` for an empty range."""

    def __init__(self, first, last):
        self.first, self.last = first, last

    @classmethod
    def parse(cls, text):
        if text is None or text == "none":
            return cls(None, None)
        if match := re.fullmatch(r"(\d+)\+", text):
            return cls(int(match[1]), None)
        if match := re.fullmatch(r"(\d+)(?:-(\d+))?", text):
            return cls(int(match[1]), int(match[2] or match[1]))
        fail(f"version range {text!r}")

    def __bool__(self):
        return self.first is not None

    def __contains__(self, version):
        return bool(self) and self.first <= version and (self.last is None or version <= self.last)

    def within(self, outer):
        """The part of this range inside `outer`, which is closed."""
        inside = [version for version in range(outer.first, outer.last + 1) if version in self]
        return Versions(inside[0], inside[-1]) if inside else Versions(None, None)

    def covers(self, inner):
        return all(version in self for version in range(inner.first, inner.last + 1))

    def condition(self, scope):
        """Rust that tells whether a version of `scope` is in this range, or None if all are."""
        inside = self.within(scope)
        if not inside:
            return "false"
        low, high = inside.first > scope.first, inside.last < scope.last
        if low and high:
            if inside.first == inside.last:
                return f"f.version == {inside.first}"
            return f"({inside.first}..={inside.last}).contains(&f.version)"
        if low:
            return f"f.version >= {inside.first}"
        return f"f.version <= {inside.last}" if high else None

    def __str__(self):
        if not self:
            return "none"
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


def snake(name):
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()
    return name + "_" if name in {"type", "match", "self", "move", "ref", "where"} else name


def grouped(number):
    """A literal with underscores, as clippy likes them."""
    digits = str(abs(number))
    if len(digits) > 5:
        digits = f"{abs(number):_}"
    return ("-" if number < 0 else "") + digits


def negated(condition):
    """The opposite of a condition that `Field.default` wrote, as a person would write it."""
    if " == " in condition:
        return condition.replace(" == ", " != ")
    if condition.endswith(".is_none()"):
        return condition.replace(".is_none()", ".is_some()")
    return condition.removeprefix("!") if condition.startswith("!") else f"!{condition}"


class Field:
    """One field of a struct, seen within the versions in which the struct occurs."""

    def __init__(self, spec, scope, message):
        self.wire_name = spec["name"]
        self.name = snake(self.wire_name)
        self.scope = scope
        self.tag = spec.get("tag")
        tagged = Versions.parse(spec.get("taggedVersions"))
        declared = Versions.parse(spec["versions"]) if "versions" in spec else tagged
        self.versions = declared.within(scope)
        if self.tag is not None and self.versions and not tagged.covers(self.versions):
            fail(f"{message.name}.{self.wire_name} is tagged in some of its versions only")
        self.nullable = Versions.parse(spec.get("nullableVersions")).within(scope)
        self.ignorable = spec.get("ignorable", False)
        self.rigid = spec.get("flexibleVersions") == "none"
        if "flexibleVersions" in spec and not self.rigid:
            fail(f"{message.name}.{self.wire_name} has flexible versions of its own")
        self.kafka_type = spec["type"]
        self.is_array = self.kafka_type.startswith("[]")
        self.element = self.kafka_type.removeprefix("[]")
        self.is_struct = self.element not in SCALARS
        self.inner = message.struct(self.element, spec.get("fields"), self.versions) if self.is_struct else None
        self.default_text = spec.get("default")

    def base_type(self):
        element = self.element if self.is_struct else SCALARS[self.element][0]
        return f"Vec<{element}>" if self.is_array else element

    def rust_type(self):
        return f"Option<{self.base_type()}>" if self.nullable else self.base_type()

    def default(self):
        """The default as Rust, and the condition that `self.name` holds it."""
        here, text = f"self.{self.name}", self.default_text
        if text == "null" or (self.kafka_type == "records" and self.nullable):
            return "None", f"{here}.is_none()"
        if self.is_array or self.element in {"string", "bytes", "records"}:
            if text not in (None, "", []):
                fail(f"default {text!r} of {self.wire_name}")
            empty = {"string": "Str::default()", "bytes": "Bytes::new()", "records": "Bytes::new()"}
            value = "Vec::new()" if self.is_array else empty[self.element]
            if self.nullable:
                return f"Some({value})", f"{here}.as_ref().is_some_and(|value| value.is_empty())"
            return value, f"{here}.is_empty()"
        if self.is_struct:
            value = f"{self.element}::default()"
            return (f"Some({value})", f"{here} == Some({value})") if self.nullable else (value, f"{here} == {value}")
        if self.element == "uuid":
            return "Uuid::ZERO", f"{here}.is_zero()"
        if self.element == "bool":
            truth = str(text).lower() == "true"
            return ("true", here) if truth else ("false", f"!{here}")
        if self.element == "float64":
            if text not in (None, ""):
                fail(f"default {text!r} of {self.wire_name}")
            return "0.0", f"{here} == 0.0"
        number = int(str(text), 0) if text not in (None, "") else 0
        return grouped(number), f"{here} == {grouped(number)}"

    def default_is_natural(self):
        """Whether Rust's own default of the type is the descriptor's."""
        value = self.default()[0]
        natural = {"Vec::new()", "Str::default()", "Bytes::new()", "Uuid::ZERO", "false", "0", "0.0"}
        return value == "None" if self.nullable else value in natural | {f"{self.element}::default()"}

    def way_of_null(self):
        """What says whether a value is there: a struct in a tagged field does so in another way than elsewhere."""
        in_tag = self.tag is not None and self.is_struct and not self.is_array
        return "tagged_nullable" if in_tag else "nullable"

    def read(self):
        layout = "f.rigid()" if self.rigid else "f"
        if not self.nullable:
            return f"r.get({layout})?"
        return f"r.get_{self.way_of_null()}({layout}, {self.nullable.condition(self.versions) or 'true'})?"

    def write(self, out="out"):
        layout = "f.rigid()" if self.rigid else "f"
        if not self.nullable:
            return f"self.{self.name}.write({out}, {layout})"
        when = self.nullable.condition(self.versions) or "true"
        return f'write_{self.way_of_null()}(self.{self.name}.as_ref(), {when}, "{self.wire_name}", {out}, {layout})'

    def bytes_min(self, version, flexible):
        """The fewest bytes the field takes in one version."""
        if version not in self.versions or self.tag is not None:
            return 0
        fixed, varint = (4, 1) if self.is_array else SCALARS.get(self.element, (None, 0, 0))[1:]
        if self.is_struct and not self.is_array:
            return 1 if version in self.nullable else self.inner.bytes_min_in(version)
        return varint if flexible and not self.rigid else fixed

    def doc(self):
        facts = [f"`{self.kafka_type}`", f"versions {self.versions}"]
        if self.tag is not None:
            facts.append(f"tag {self.tag}")
        if self.nullable:
            within = "" if self.nullable.covers(self.versions) else f" in versions {self.nullable}"
            facts.append(f"nullable{within}")
        if self.ignorable:
            facts.append("ignorable")
        if not self.default_is_natural() and "::" not in self.default()[0]:
            facts.append(f"default `{self.default()[0]}`")
        return f"/// `{self.wire_name}`: {', '.join(facts)}."


class Struct:
    """A struct of a message, or the message itself."""

    def __init__(self, name, specs, scope, message):
        self.name, self.scope, self.message = name, scope, message
        fields = [Field(spec, scope, message) for spec in specs]
        self.fields = [field for field in fields if field.versions]
        self.plain = [field for field in self.fields if field.tag is None]
        self.tagged = sorted((field for field in self.fields if field.tag is not None), key=lambda f: f.tag)
        flexible = message.flexible.within(scope)
        self.is_flexible = bool(flexible)

    def bytes_min_in(self, version):
        flexible = version in self.message.flexible
        return int(flexible) + sum(field.bytes_min(version, flexible) for field in self.fields)

    def bytes_min(self):
        least = min(map(self.bytes_min_in, range(self.scope.first, self.scope.last + 1)))
        return max(least, 1)

    def rust(self):
        return "\n".join([*self.declaration(), *self.default_impl(), *self.wire_impl()])

    def declaration(self):
        derives = ["Debug", "Clone", "PartialEq"]
        if self.natural():
            derives.append("Default")
        what = "Message" if self is self.message.top else "Struct"
        lines = [f"/// {what} `{self.name}`, versions {self.scope}."]
        lines += [f"#[derive({', '.join(derives)})]", f"pub struct {self.name} {{"]
        for field in self.fields:
            lines += [field.doc(), f"pub {field.name}: {field.rust_type()},"]
        if self.is_flexible:
            lines += ["/// Tagged fields the descriptor does not name.", "pub unknown_tagged: Vec<TaggedField>,"]
        return [*lines, "}", ""]

    def natural(self):
        return all(field.default_is_natural() for field in self.fields)

    def default_impl(self):
        if self.natural():
            return []
        values = [f"{field.name}: {field.default()[0]}," for field in self.fields]
        if self.is_flexible:
            values.append("unknown_tagged: Vec::new(),")
        return [f"impl Default for {self.name} {{", "fn default() -> Self {", "Self {", *values, "}", "}", "}", ""]

    def wire_impl(self):
        return [
            f"impl Wire for {self.name} {{",
            f"const BYTES_MIN: usize = {self.bytes_min()};",
            "",
            "fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {",
            *self.reading(),
            "}",
            "",
            "fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {",
            *self.writing(),
            "}",
            "}",
            "",
        ]

    def reading(self):
        values = []
        for field in self.plain:
            when = field.versions.condition(self.scope)
            value = field.read()
            if when:
                value = f"if {when} {{ {value} }} else {{ {field.default()[0]} }}"
            values.append(f"{field.name}: {value},")
        values += [f"{field.name}: {field.default()[0]}," for field in self.tagged]
        if not self.tagged:
            if self.is_flexible:
                values.append("unknown_tagged: r.tags(f, |_, _| Ok(false))?,")
            return ["Ok(Self {", *values, "})"]
        arms = []
        for field in self.tagged:
            when = field.versions.condition(self.message.flexible.within(self.scope))
            guard = f" if {when}" if when else ""
            arms.append(f"{field.tag}{guard} => it.{field.name} = {field.read()},")
        return [
            "let mut it = Self {",
            *values,
            "unknown_tagged: Vec::new(),",
            "};",
            "it.unknown_tagged = r.tags(f, |tag, r| {",
            "match tag {",
            *arms,
            "_ => return Ok(false),",
            "}",
            "Ok(true)",
            "})?;",
            "Ok(it)",
        ]

    def writing(self):
        statements = []
        for field in self.plain:
            when = field.versions.condition(self.scope)
            if not when:
                statements.append(f"{field.write()}?;")
                continue
            statements.append(f"if {when} {{ {field.write()}?; }}")
            if not field.ignorable:
                statements[-1] += f' else {{ absent({field.default()[1]}, "{field.wire_name}", f)?; }}'
        if self.tagged:
            statements.append("let mut tags = Tags::default();")
        for field in self.tagged:
            when = field.versions.condition(self.scope)
            is_default = field.default()[1]
            is_set = negated(is_default)
            add = f"tags.add({is_set}, {field.tag}, |out| {field.write()})?;"
            if when:
                add = f"if {when} {{ {add} }}"
                if not field.ignorable:
                    add += f' else {{ absent({is_default}, "{field.wire_name}", f)?; }}'
            statements.append(add)
        if not self.is_flexible:
            return [*statements, "Ok(())"]
        return [*statements, f"{'tags' if self.tagged else 'Tags::default()'}.write(&self.unknown_tagged, out, f)"]


class Message:
    """One descriptor."""

    def __init__(self, spec):
        self.spec = spec
        self.name = spec["name"]
        self.kind = spec["type"]
        self.key = spec.get("apiKey")
        self.valid = Versions.parse(spec["validVersions"])
        self.flexible = Versions.parse(spec["flexibleVersions"])
        self.common = {each["name"]: each for each in spec.get("commonStructs", [])}
        self.structs = {}
        self.top = Struct(self.name, spec["fields"], self.valid, self)

    def struct(self, name, specs, scope):
        """The struct of a field; a common one says itself in which versions it occurs."""
        if not scope:
            return None
        if specs is None:
            if name not in self.common:
                fail(f"{self.name} has no struct {name}")
            if name in self.structs:
                return self.structs[name]
            specs = self.common[name]["fields"]
            scope = Versions.parse(self.common[name]["versions"]).within(self.valid)
        elif name in self.structs:
            fail(f"{self.name} has two structs {name}")
        self.structs[name] = Struct(name, specs, scope, self)
        return self.structs[name]

    def flexible_from(self):
        first = self.flexible.within(self.valid).first
        return "None" if first is None else f"Some({first})"

    def rust(self):
        body = "\n".join([self.top.rust(), self.message_impl(), *(each.rust() for each in self.structs.values())])
        used = lambda word: re.search(rf"\b{word}\b", body)
        codec = ["DecodeError", "EncodeError", "Format", "Message", "Reader", "Wire"]
        codec += [word for word in ["ApiKey", "CoordinatorRecord", "Request", "Response"] if used(rf"{word}(?: for|::)")]
        codec += [word for word in ["Str", "TaggedField", "Uuid"] if used(word)]
        wire = [word for word in ["Tags", "absent", "write_nullable", "write_tagged_nullable"] if used(word)]
        lines = [f"//! `{self.name}`, versions {self.valid}. {NOTICE}", ""]
        lines.append(f"use bytes::{{{'Bytes, ' if used('Bytes') else ''}BytesMut}};")
        lines.append("")
        if wire:
            lines.append(f"use crate::codec::wire::{{{', '.join(wire)}}};")
        if self.kind == "request":
            lines.append(f"use crate::codec::messages::{self.api()}Response;")
        lines.append(f"use crate::codec::{{{', '.join(sorted(codec))}}};")
        return "\n".join(lines) + "\n\n" + body

    def api(self):
        return re.sub(r"(Request|Response)$", "", self.name)

    def message_impl(self):
        lines = [
            f"impl Message for {self.name} {{",
            f'const NAME: &\'static str = "{self.name}";',
            f"const VERSIONS: RangeInclusive<i16> = {self.valid.first}..={self.valid.last};",
            f"const FLEXIBLE_FROM: Option<i16> = {self.flexible_from()};",
            "}",
            "",
        ]
        if self.kind == "request":
            lines += [f"impl Request for {self.name} {{", f"const API: ApiKey = ApiKey::{self.api()};"]
            lines += [f"type Response = {self.api()}Response;", "}", ""]
        if self.kind == "response":
            lines += [f"impl Response for {self.name} {{", f"const API: ApiKey = ApiKey::{self.api()};", "}", ""]
        if self.kind.startswith("coordinator"):
            lines += [f"impl CoordinatorRecord for {self.name} {{", f"const RECORD_TYPE: i16 = {self.key};", "}", ""]
        text = "\n".join(lines)
        return text.replace("RangeInclusive", "std::ops::RangeInclusive")


def api_table(requests):
    """The file of all API keys: `requests` are the descriptors of all that still have versions."""
    rows, names, arms = [], [], []
    for spec in requests:
        name = spec["name"].removesuffix("Request")
        valid = Versions.parse(spec["validVersions"])
        flexible = Versions.parse(spec["flexibleVersions"]).within(valid).first
        stable = valid.last - int(spec.get("latestVersionUnstable", False))
        names.append(f"/// Key {spec['apiKey']}, versions {valid}.\n{name} = {spec['apiKey']},")
        arms.append(f"Self::{name} => &APIS[{len(rows)}],")
        rows.append(
            f'Api {{ key: ApiKey::{name}, name: "{name}", version_min: {valid.first}, version_max: {valid.last}, '
            f"version_stable_max: {stable}, flexible_from: {'None' if flexible is None else f'Some({flexible})'}, "
            f"on_broker: {str('broker' in spec['listeners']).lower()}, "
            f"on_controller: {str('controller' in spec['listeners']).lower()} }},"
        )
    return (
        (HERE / "api_key.rs.in")
        .read_text()
        .replace("@NOTICE@", NOTICE)
        .replace("@KEYS@", "\n".join(names))
        .replace("@SPECS@", "\n".join(arms))
        .replace("@ROWS@", "\n".join(rows))
        .replace("@COUNT@", str(len(rows)))
    )


def module_list(messages):
    """`mod.rs`: one module a message, and its own struct at the top."""
    lines = [(HERE / "mod.rs.in").read_text().replace("@NOTICE@", NOTICE), "pub(super) mod api_key;"]
    lines += [f"pub mod {snake(message.name)};" for message in messages]
    lines.append("")
    lines += [f"pub use {snake(message.name)}::{message.name};" for message in messages]
    checks = [f"Codec::of::<{message.name}>()," for message in messages]
    lines += [
        "",
        "/// Every message, for tests that hold for all of them.",
        "#[cfg(test)]",
        f"pub(super) const CODECS: [Codec; {len(messages)}] = [",
        *checks,
        "];",
    ]
    return "\n".join(lines) + "\n"


def descriptors(folder):
    """All descriptors in the three jars by name. Their comments take whole lines."""
    found = {}
    for name in JARS:
        jars = sorted(path for path in folder.glob(f"{name}-*.jar") if re.fullmatch(rf"{name}-[\d.]+\.jar", path.name))
        if len(jars) != 1:
            fail(f"{len(jars)} jars {name}-VERSION.jar in {folder}, one is needed")
        with zipfile.ZipFile(jars[0]) as archive:
            for entry in archive.namelist():
                if re.fullmatch(r"common/message/\w+\.json", entry):
                    text = archive.read(entry).decode()
                    spec = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.M))
                    found[spec["name"]] = spec
    return found


def selection(found):
    """The requests still spoken, and the messages to write."""
    requests = [spec for spec in found.values() if spec["type"] == "request" and spec["validVersions"] != "none"]
    requests.sort(key=lambda spec: spec["apiKey"])
    responses = {spec["apiKey"]: spec for spec in found.values() if spec["type"] == "response"}
    chosen = []
    for spec in requests:
        response = responses[spec["apiKey"]]
        if response["validVersions"] != spec["validVersions"]:
            fail(f"{spec['name']} and {response['name']} differ in their versions")
        if "broker" in spec["listeners"] and spec["apiKey"] not in INTERNAL_KEYS:
            chosen += [spec, response]
    missing = [name for name in DATA if name not in found]
    if missing:
        fail(f"no descriptor of {', '.join(missing)}")
    return requests, [Message(spec) for spec in [*chosen, *(found[name] for name in DATA)]]


def write(folder, jars):
    """Fills `folder` from the jars in the folder `jars`."""
    requests, messages = selection(descriptors(jars))
    messages.sort(key=lambda message: message.name)
    files = {f"{snake(message.name)}.rs": message.rust() for message in messages}
    files["api_key.rs"] = api_table(requests)
    files["mod.rs"] = module_list(messages)
    for name, text in files.items():
        (folder / name).write_text(text)
    command = ["rustfmt", "--edition", "2024", "--config-path", str(ROOT)]
    subprocess.run([*command, *(str(folder / name) for name in sorted(files))], check=True)


def compare(folder):
    """The names of files that differ from the committed ones, are missing there, or are extra."""
    names = sorted({path.name for each in (folder, OUTPUT) for path in each.glob("*")})
    same = filecmp.cmpfiles(folder, OUTPUT, names, shallow=False)[0]
    return [name for name in names if name not in same]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jars", required=True, type=pathlib.Path, help="folder with the three jars")
    parser.add_argument("--check", action="store_true", help="compare with the committed output, write nothing")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        fresh = pathlib.Path(scratch)
        write(fresh, options.jars)
        if options.check:
            if stale := compare(fresh):
                fail(f"stale: {', '.join(stale)}")
            return
        shutil.rmtree(OUTPUT, ignore_errors=True)
        shutil.copytree(fresh, OUTPUT)


if __name__ == "__main__":
    main()
