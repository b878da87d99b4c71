<?php

declare(strict_types=1);

namespace Proletarier;

use Proletarier\Exception\Configuration;

/**
 * The services of an application that has no container: those of this package, made from a configuration.
 */
final class Container
{
    /** @var array<string, object|array> */
    private array $made;

    /** @var array<string, class-string> */
    private array $factories;

    /** @var array<string, string> */
    private array $aliases;

    /**
     * @param array<string, mixed> $config with the key `proletarier`
     */
    public function __construct(array $config)
    {
        $this->made = ['config' => $config];
        ['factories' => $this->factories, 'aliases' => $this->aliases] = (new ConfigProvider())->getDependencies();
    }

    public function has(string $id): bool
    {
        return isset($this->made[$id]) || isset($this->factories[$this->aliases[$id] ?? $id]);
    }

    public function get(string $id): object|array
    {
        $id = $this->aliases[$id] ?? $id;
        if (!$this->has($id)) {
            throw new Configuration(sprintf("there is no service '%s'", $id));
        }

        return $this->made[$id] ??= (new $this->factories[$id]())($this, $id);
    }
}
