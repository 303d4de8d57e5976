<?php
// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// GET_LOCK through PDO and PHP's own driver. Symfony Lock has no store that takes it: on MySQL it writes rows into a table.

require __DIR__.'/conversation.php';

converse(new class() implements Locks {
    private const DAY = 24 * 60 * 60;

    private PDO $db;

    public function __construct()
    {
        $this->db = new PDO('mysql:unix_socket='.getenv('MYSQL_UNIX_PORT').';charset=utf8mb4', 'root');
    }

    public function lock(string $name, bool $shared): void
    {
        if (1 !== $this->ask('SELECT GET_LOCK(?, ?)', $name, self::DAY)) {
            throw new RuntimeException('GET_LOCK gave up');
        }
    }

    public function tryLock(string $name, bool $shared): bool
    {
        return 1 === $this->ask('SELECT GET_LOCK(?, ?)', $name, 0);
    }

    public function unlock(string $name, bool $shared): void
    {
        if (1 !== $this->ask('SELECT RELEASE_LOCK(?)', $name)) {
            throw new RuntimeException('the lock was not held');
        }
    }

    private function ask(string $sql, ...$parameters): ?int
    {
        $statement = $this->db->prepare($sql);
        $statement->execute($parameters);

        return $statement->fetchColumn();
    }
});
