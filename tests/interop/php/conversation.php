<?php
// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The side of a client in the conversation that ../README.md describes.

interface Locks
{
    public function lock(string $name, bool $shared): void;

    public function tryLock(string $name, bool $shared): bool;

    public function unlock(string $name, bool $shared): void;
}

function say(string $answer): void
{
    fwrite(STDOUT, "$answer\n");
}

function converse(Locks $locks): void
{
    say('ready');
    while (false !== $line = fgets(STDIN)) {
        [$command, $name] = explode(' ', rtrim($line, "\n"), 2);
        $shared = str_ends_with($command, '_shared');
        switch ($shared ? substr($command, 0, -strlen('_shared')) : $command) {
            case 'lock':
                $locks->lock($name, $shared);
                say('held');
                break;
            case 'try':
                say($locks->tryLock($name, $shared) ? 'held' : 'busy');
                break;
            case 'unlock':
                $locks->unlock($name, $shared);
                say('unlocked');
                break;
            default:
                throw new InvalidArgumentException("no such command: $line");
        }
    }
}
