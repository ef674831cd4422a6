"use strict";
// The command line that every test program here shares (README.md two folders up).

const fs = require("node:fs");

/** Reads the arguments: { command, what, config, and each option by its name }. */
function parse(args) {
  const rest = [...args];
  const found = { command: rest.shift(), config: {} };
  if (found.command === "admin") found.what = rest.shift();
  while (rest.length > 0) {
    const name = rest.shift();
    if (!name.startsWith("--")) throw new Error(`not an option: ${name}`);
    if (name === "--assign") {
      found.assign = true;
      continue;
    }
    if (rest.length === 0) throw new Error(`${name} wants a value`);
    const value = rest.shift();
    const [key, ...others] = value.split("=");
    if (name === "--config") found.config[key] = others.join("=");
    else found[name.slice(2)] = value;
  }
  return found;
}

/** A number, or `otherwise`. */
function number(options, name, otherwise) {
  return options[name] === undefined ? otherwise : Number(options[name]);
}

/** A list of numbers, or null. */
function numbers(options, name) {
  return options[name] === undefined ? null : options[name].split(",").map(Number);
}

/** What every client needs. */
function connection(options) {
  const found = { clientId: options.id ?? options.member ?? "admin", brokers: options.bootstrap.split(",") };
  if (options["tls-ca"]) found.ssl = { ca: [fs.readFileSync(options["tls-ca"], "utf8")], servername: "localhost" };
  if (options.sasl) {
    const [mechanism, username, ...password] = options.sasl.split(":");
    found.sasl = { mechanism: mechanism.toLowerCase(), username, password: password.join(":") };
  }
  return found;
}

module.exports = { parse, number, numbers, connection };
