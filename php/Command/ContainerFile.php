<?php

declare(strict_types=1);

namespace Proletarier\Command;

use Proletarier\Container;
use Proletarier\Exception\Configuration;

/**
 * The application's container for bin/proletarier, from the file that is named or found. Loaded when a command first asks for a
 * service: help needs no application.
 */
final class ContainerFile
{
    public const HELP = 'A PHP file that returns the configuration (the key proletarier, or what is below it) or a container; else '
        . 'config/container.php, here or in a directory above';

    private ?object $container = null;

    /**
     * @param list<string> $argv
     * @param string $directory from where config/container.php is looked for, upwards
     */
    public function __construct(private array $argv, private string $directory)
    {
    }

    public function has(string $id): bool
    {
        return $this->container()->has($id);
    }

    public function get(string $id): mixed
    {
        return $this->container()->get($id);
    }

    /**
     * @throws Configuration
     */
    private function container(): object
    {
        if ($this->container !== null) {
            return $this->container;
        }
        $file = $this->named();
        if ($file === null) {
            $file = $this->found();
            // What the file names is relative to the application's root.
            chdir(dirname($file, 2));
        } elseif (!is_file($file)) {
            throw new Configuration("--config: there is no file $file");
        }
        $result = (static fn () => require $file)();
        if (is_array($result)) {
            $result = new Container(isset($result['proletarier']) ? $result : ['proletarier' => $result]);
        }
        if (!is_object($result) || !method_exists($result, 'get') || !method_exists($result, 'has')) {
            throw new Configuration(
                sprintf('%s returned %s: return an array of configuration or a container', $file, get_debug_type($result))
            );
        }

        return $this->container = $result;
    }

    /**
     * Read here, and not by Symfony, whose commands need the container first.
     */
    private function named(): ?string
    {
        foreach (array_slice($this->argv, 1) as $i => $argument) {
            if (str_starts_with($argument, '--config=')) {
                return substr($argument, strlen('--config='));
            }
            if ($argument === '--config' || $argument === '-c') {
                return $this->argv[$i + 2] ?? null;
            }
        }

        return null;
    }

    private function found(): string
    {
        $directory = $this->directory;
        do {
            if (is_file($directory . '/config/container.php')) {
                return $directory . '/config/container.php';
            }
            $below = $directory;
            $directory = dirname($directory);
        } while ($directory !== $below);

        throw new Configuration(
            "there is no config/container.php in $this->directory or above it: name a configuration with --config=FILE"
        );
    }
}
