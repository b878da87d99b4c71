<?php

declare(strict_types=1);

namespace Proletarier;

/**
 * Looks at and empties the spool of this machine, with a daemon or without: the service Proletarier\Spool.
 *
 * The only class that names proletarier_spool(): what works through it can be tested with a double.
 */
final class Spool
{
    /**
     * @param array<string, mixed> $settings the key `proletarier` of the configuration
     */
    public function __construct(private array $settings)
    {
    }

    /**
     * @param 'list'|'drain'|'discard' $action
     * @param array<string, mixed> $options of the action, such as `['after' => 0, 'limit' => 100, 'params' => true]`
     *
     * @return array<string, mixed>
     */
    public function request(string $action, array $options = []): array
    {
        Extension::assertHas('proletarier_spool');

        return \proletarier_spool($action, $options + $this->settings);
    }
}
