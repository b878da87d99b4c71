<?php

/**
 * Stands for the extension in a process that has to look loaded: keeps what its class and its function are given.
 */

declare(strict_types=1);

namespace Proletarier {
    function extension_loaded(string $name): bool
    {
        return $name === 'proletarier';
    }

    final class Client implements ClientInterface
    {
        public array $arguments;

        public function __construct(?string $connect = null, array $options = [])
        {
            $this->arguments = [$connect, $options];
        }

        public function trigger(string|object $event, array $params = [], array $options = []): string
        {
            return 'id-1';
        }

        public function flush(?float $timeout = null): int
        {
            return 0;
        }

        public function spooled(): int
        {
            return 0;
        }
    }
}

namespace {
    function proletarier_run(array $listeners, array $options = []): int
    {
        $GLOBALS['run'] = [$listeners, $options];

        return 3;
    }

    function proletarier_control(array $request, array $options = []): array
    {
        return [$request, $options];
    }
}
