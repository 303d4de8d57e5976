<?php
// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Symfony Lock with its PostgreSqlStore.

require 'Symfony/Component/Lock/autoload.php';
require __DIR__.'/conversation.php';

use Symfony\Component\Lock\LockFactory;
use Symfony\Component\Lock\Store\PostgreSqlStore;

converse(new class() implements Locks {
    private LockFactory $factory;
    private array $held = [];

    public function __construct()
    {
        // libpq knows the rest from the environment.
        $this->factory = new LockFactory(new PostgreSqlStore('pgsql:dbname='.getenv('PGDATABASE')));
    }

    public function lock(string $name, bool $shared): void
    {
        if (!$this->acquire($name, $shared, true)) {
            throw new RuntimeException('the lock was not acquired');
        }
    }

    public function tryLock(string $name, bool $shared): bool
    {
        return $this->acquire($name, $shared, false);
    }

    public function unlock(string $name, bool $shared): void
    {
        $this->held[$name]->release();
        unset($this->held[$name]);
    }

    private function acquire(string $name, bool $shared, bool $blocking): bool
    {
        $lock = $this->factory->createLock($name);
        if (!($shared ? $lock->acquireRead($blocking) : $lock->acquire($blocking))) {
            return false;
        }
        $this->held[$name] = $lock;

        return true;
    }
});
