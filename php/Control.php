<?php

declare(strict_types=1);

namespace Proletarier;

/**
 * Asks the daemon, at its control socket: the service Proletarier\Control. The requests are in docs/protocol.md.
 *
 * The only class that names proletarier_control(): what works through it can be tested with a double.
 */
final class Control
{
    /**
     * @param array<string, mixed> $settings the key `proletarier` of the configuration
     */
    public function __construct(private array $settings)
    {
    }

    /**
     * @param array<string, mixed> $request such as `['command' => 'status']`
     * @param float|null $timeout seconds that the answer may take; null: 5
     *
     * @return array<string, mixed>
     *
     * @throws Exception\BrokerUnavailable where no daemon answers, or may not be asked by this user
     * @throws Exception\Rejected where the daemon refuses the request
     */
    public function request(array $request, ?float $timeout = null): array
    {
        Extension::assertHas('proletarier_control');

        return \proletarier_control($request, ['timeout' => $timeout] + $this->settings);
    }
}
