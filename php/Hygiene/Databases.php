<?php

declare(strict_types=1);

namespace Proletarier\Hygiene;

/**
 * Closes the database connections that the bootstrap has opened, before the workers are forked: each connects anew with its first query.
 *
 * Shared by several processes, a connection mixes their queries up; and one that is closed in a worker is ended for the others, too. So it is
 * done in the process that opened them. Adapters of Zend\Db and Laminas\Db, and Doctrine's connections, connect again by themselves; a plain PDO
 * object does not, and is left alone.
 */
final class Databases
{
    private const ADAPTERS = ['Laminas\Db\Adapter\AdapterInterface', 'Zend\Db\Adapter\AdapterInterface'];

    public function __construct(private Made $made)
    {
    }

    /**
     * @return int how many connections it has closed
     */
    public function disconnect(): int
    {
        $closed = 0;
        foreach ($this->made->instancesOf(...self::ADAPTERS) as $adapter) {
            $connection = $adapter->getDriver()->getConnection();
            if ($connection->isConnected() && !self::isInMemory($connection->getConnectionParameters())) {
                $connection->disconnect();
                $closed++;
            }
        }
        foreach ($this->doctrine() as $connection) {
            if ($connection->isConnected() && !self::isInMemory($connection->getParams())) {
                $connection->close();
                $closed++;
            }
        }

        return $closed;
    }

    /**
     * @return list<object> Doctrine\DBAL\Connection: services of their own, and those of entity managers
     */
    private function doctrine(): array
    {
        $found = $this->made->instancesOf('Doctrine\DBAL\Connection');
        foreach ($this->made->instancesOf('Doctrine\ORM\EntityManagerInterface') as $manager) {
            $found[] = $manager->getConnection();
        }
        $connections = [];
        foreach ($found as $connection) {
            $connections[spl_object_id($connection)] = $connection;
        }

        return array_values($connections);
    }

    /** Whether there would be nothing left to connect to: SQLite's database in memory is its connection. */
    private static function isInMemory(mixed $parameters): bool
    {
        $found = false;
        $parameters = is_array($parameters) ? $parameters : [];
        array_walk_recursive($parameters, static function (mixed $value, int|string $key) use (&$found): void {
            $found = $found || (is_string($value) && str_contains($value, ':memory:')) || ($key === 'memory' && $value === true);
        });

        return $found;
    }
}
