// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// advisory-lock, which opens a connection of node-pg for each lock.
"use strict";

const readline = require("readline");
const { default: advisoryLock } = require("advisory-lock");

const mutexOf = advisoryLock(undefined); // no connection string: node-pg takes libpq's environment variables
const held = new Map();

async function obey(command, name) {
    switch (command) {
        case "lock":
            held.set(name, await mutexOf(name).lock());
            return "held";
        case "try": {
            const unlock = await mutexOf(name).tryLock();
            if (unlock === undefined) return "busy";
            held.set(name, unlock);
            return "held";
        }
        case "unlock":
            await held.get(name)();
            held.delete(name);
            return "unlocked";
        default:
            throw new Error(`no such command: ${command}`);
    }
}

async function converse() {
    console.log("ready");
    for await (const line of readline.createInterface({ input: process.stdin })) {
        const space = line.indexOf(" ");
        console.log(await obey(line.slice(0, space), line.slice(space + 1)));
    }
    process.exit(0); // whatever connections are still open
}

converse();
