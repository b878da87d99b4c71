<?php

/**
 * What of laminas-db (and, by another name, zend-db) is called: an adapter of a connection that notes what is done with it.
 */

declare(strict_types=1);

namespace Laminas\Db\Adapter;

interface AdapterInterface
{
    public function getDriver();
}

final class Connection
{
    public int $disconnected = 0;

    public function __construct(private bool $connected, private array $parameters = [])
    {
    }

    public function isConnected()
    {
        return $this->connected;
    }

    public function getConnectionParameters()
    {
        return $this->parameters;
    }

    public function disconnect()
    {
        $this->connected = false;
        $this->disconnected++;

        return $this;
    }
}

final class Adapter implements AdapterInterface
{
    public function __construct(public readonly Connection $connection)
    {
    }

    public function getDriver()
    {
        return $this;
    }

    public function getConnection()
    {
        return $this->connection;
    }
}
