<?php

declare(strict_types=1);

namespace Proletarier\Hygiene;

/**
 * Knows the errors of a database connection that is no more, and has the worker replaced: what holds that connection may hold it for good.
 */
final class GoneAway
{
    private const WORDS = '~
        (?:server|redis\ server)\ (?:has\ )?(?:gone|went)\ away         # MySQL 2006, Redis
        | lost\ connection\ to\ (?:mysql\ |mariadb\ )?(?:server|backend) # MySQL 2013
        | SQLSTATE\[08(?:003|006|007|S01)\]                              # connection failures of the standard
        | SQLSTATE\[57P0[123]\]                                          # PostgreSQL: it shuts down, or has crashed
        | server\ closed\ the\ connection\ unexpectedly
        | terminating\ connection\ due\ to
        | (?:no\ connection\ to\ the\ server|connection\ has\ been\ closed\ unexpectedly|connection\ already\ closed)
        | ORA-0(?:3113|3114|1012|3135)
        | TCP\ Provider:\ Error\ code\ 0x(?:68|2746)                     # SQL Server
        ~xi';

    public function __construct(private Recycling $recycling)
    {
    }

    /**
     * @param array<string, mixed> $params of `worker.error`
     */
    public function look(array $params): void
    {
        if (self::isMeant((string) ($params['message'] ?? ''))) {
            $this->recycling->ask('the database connection has gone away');
        }
    }

    public static function isMeant(string $message): bool
    {
        return preg_match(self::WORDS, $message) === 1;
    }
}
