'use strict';

// Walks the scenario with one client, and prints what that client shows of each step as a line of JSON.

const { readFileSync } = require('node:fs');
const { createInterface } = require('node:readline');
const { isDeepStrictEqual } = require('node:util');

const PATIENCE_MS = 20_000;
const PAUSE_MS = 100;

/** A refusal as the client shows it: its code and its text. */
class Refused extends Error {
  constructor(error, code) {
    super(`${error.name}: ${error.message}`);
    this.code = code;
  }
}

/**
 * Takes the steps of the run that the first argument names.
 *
 * `connect(endpoint, key, secret, api)` gives the function of an action and its parameters that makes a call;
 * it gives the reply, or throws `Refused`. `how` says in which way it does so.
 */
async function walk(name, sdk, how, connect) {
  const run = JSON.parse(readFileSync(process.argv[2], 'utf8'));
  const version = `${sdk} ${require(`${sdk}/package.json`).version}`;
  const input = createInterface({ input: process.stdin });
  const answers = input[Symbol.asyncIterator]();
  const saved = {};
  for (const step of run.steps) {
    if (step.needs) {
      say({ needs: step.needs });
      await answers.next();
    }
    const { server = 'main', secret = 'right', save = {} } = step;
    const call = connect(run.servers[server], run.key, run.secrets[secret], run.apis[step.api]);
    const { reply, ...line } = await repeated(step, () => call(step.action, filled(step.parameters, saved)));
    for (const [place, path] of Object.entries(save)) saved[place] = at(reply, path);
    say({ client: name, version, step: step.id, how, ...line });
  }
  input.close();
}

/** The outcome of a step; the last one if the step waits for something. */
async function repeated({ until, expect = {} }, call) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const line = await outcome(call, expect.path);
    const done = until === 'expected' ? isDeepStrictEqual(line.value, expect.value) : !until || !line.ok;
    if (done || Date.now() > deadline) return line;
    if (until === 'expected') await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

async function outcome(call, path) {
  try {
    const reply = await call();
    return { ok: true, code: null, shown: null, value: at(reply, path), reply };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { ok: false, code: error.code, shown: error.message, value: null };
  }
}

/** The parameters, with what earlier replies gave. */
function filled(parameters, saved) {
  const fill = (value) =>
    typeof value === 'string' ? value.replace(/\{(\w+)\}/g, (_, place) => saved[place]) : value;
  return Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, fill(value)]));
}

/** What a reply holds at a path such as `Images.Image.0.Status`, or null. */
function at(reply, path) {
  return path?.split('.').reduce((value, name) => value?.[name], reply) ?? null;
}

function say(line) {
  console.log(JSON.stringify(line));
}

module.exports = { Refused, walk };
