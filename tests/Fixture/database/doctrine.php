<?php

/**
 * What of Doctrine is called: an entity manager and its connection, which note what is done with them.
 */

declare(strict_types=1);

namespace Doctrine\DBAL {
    class Connection
    {
        public int $closed = 0;

        public function __construct(private bool $connected = true, private array $params = [])
        {
        }

        public function isConnected(): bool
        {
            return $this->connected;
        }

        public function getParams(): array
        {
            return $this->params;
        }

        public function close(): void
        {
            $this->connected = false;
            $this->closed++;
        }
    }
}

namespace Doctrine\ORM {
    interface EntityManagerInterface
    {
    }

    final class EntityManager implements EntityManagerInterface
    {
        public bool $open = true;
        public int $cleared = 0;

        public function __construct(private \Doctrine\DBAL\Connection $connection = new \Doctrine\DBAL\Connection())
        {
        }

        public function getConnection(): \Doctrine\DBAL\Connection
        {
            return $this->connection;
        }

        public function isOpen(): bool
        {
            return $this->open;
        }

        public function clear(): void
        {
            if (!$this->open) {
                throw new \RuntimeException('The EntityManager is closed.');
            }
            $this->cleared++;
        }
    }
}
